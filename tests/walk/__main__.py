"""``python -m tests.walk``: what the README tells a newcomer, on a Debian as it is installed.

A release is debootstrapped, geofence is installed there as the README says, and the system is
booted in namespaces of its own, on an Internet of a lab from which strangers of many countries send
SIP to it all the time. Then the commands of "Five minutes to a fenced PBX" are run as they stand,
in order. What packets get in is looked at after each. Needs root, debootstrap and Debian's mirror:

    apt-get install debootstrap
    python -m tests.walk --release bookworm
"""

from __future__ import annotations

import argparse
import re
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from geofence.lab.network import GATEWAY, PBX, Lab
from geofence.lab.payloads import sip_options
from geofence.lab.probes import Probe, Transport
from geofence.lab.stream import Stream
from geofence.model.prefixes import Family
from tests.cli.world import JAPANESE, japan
from tests.lists.bodies import country_json
from tests.support.probes import lost as lost_of
from tests.walk.system import Booted, System, WalkError, debootstrapped

_TOP = Path(__file__).parents[2]
_CHECKOUT = "/root/geofence"
_GERMANY = (
    tuple(f"{octet}.0.0.0/8" for octet in (77, 78, 79, 80, 84, 87, 91, 93)),
    ("2a02:8000::/18", "2003::/18"),
)
_STRANGERS = 100
_STRANGERS_IPV6 = 10
"""A lab tells 255 flows apart, in all its streams together: two, with the phones."""
_ALL = _STRANGERS + _STRANGERS_IPV6
_COUNTRIES = ("45.83", "185.220", "5.188", "102.165", "177.54", "41.216", "190.2", "14.241")
"""Two bytes of their IPv4 addresses, in several countries, none of them allowed."""
_EVERY = 0.25
"""Seconds between two packets of each."""

_ATTACKED = 5
"""Seconds of attack before the first command: conntrack then takes the flows for lasting ones."""

RULES = """\
[source.country]
urls = ["http://127.0.0.1:8000/{cc}.json"]
"""
LISTS = """[Unit]
Description=country lists, as a mirror would serve them
[Service]
ExecStart=/usr/bin/python3 -m http.server --bind 127.0.0.1 --directory /srv/lists 8000
[Install]
WantedBy=multi-user.target
"""
ASTERISK = """[Unit]
After=network.target
[Service]
ExecStart=/usr/bin/python3 /srv/pbx.py
Restart=on-failure
[Install]
WantedBy=multi-user.target
"""
NFTABLES = """#!/usr/sbin/nft -f
flush ruleset
table inet filter {
  chain input {
    type filter hook input priority filter; policy accept;
    ct state invalid drop
    ct state established,related accept
  }
}
"""
"""With it, connection tracking is in use before geofence is, so that it knows the attackers."""
INTERFACES = f"""auto lo
iface lo inet loopback
auto wan
iface wan inet static
    address {PBX[Family.IPV4]}/24
    gateway {GATEWAY[Family.IPV4]}
iface wan inet6 static
    address {PBX[Family.IPV6]}/64
    gateway {GATEWAY[Family.IPV6]}
    dad-attempts 0
"""


@dataclass
class Walk:
    """One walk: what was done and found, a line each."""

    lab: Lab
    system: Booted | None = None
    problems: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Tell the person who waits."""
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        sys.stdout.flush()

    def expect(self, what: str, *, holds: bool) -> None:
        """Note whether something is as it should be."""
        self.say(f"  {'ok' if holds else 'WRONG'}: {what}")
        if not holds:
            self.problems.append(what)

    def type(self, command: str) -> int:
        """Run what the README shows."""
        assert self.system is not None
        code, said = self.system.do(f"cd {_CHECKOUT} 2>/dev/null; {command}")
        self.say(f"$ {command.strip()}  [exit {code}]")
        for line in said.splitlines()[:12]:
            self.say(f"    {line[:150]}")
        return code

    def ask(self, command: str) -> tuple[int, str]:
        """Run something that a person need not see; exit code and output."""
        assert self.system is not None
        return self.system.do(command)

    def gets_in(self, sources: tuple[str, ...], port: int = 5060) -> list[bool]:
        """Whether packets from addresses reach the PBX."""
        probes = (
            Probe(source, PBX[_family(source)], Transport.UDP, port)
            for source in map(ip_address, sources)
        )
        return [landed == "pbx" for landed in self.lab.fire(probes)]

    def look(self, *, fenced: bool) -> None:
        """See who gets in now."""
        self.expect("phones of the allowed country get in", holds=all(self.gets_in(JAPANESE)))
        strangers = self.gets_in(("45.83.64.99", "2a00:1450::9", "185.220.101.7"))
        shown = "strangers are kept out" if fenced else "strangers still get in"
        self.expect(shown, holds=not any(strangers) if fenced else all(strangers))
        others = self.gets_in(("45.83.64.99", "2a00:1450::9"), 9999)
        self.expect("ports that are not fenced are as before", holds=all(others))


def _family(source: object) -> Family:
    return Family.IPV4 if "." in str(source) else Family.IPV6


def attack(lab: Lab, ipv4: int = _STRANGERS, ipv6: int = _STRANGERS_IPV6) -> Stream:
    """Strangers and two phones, who send SIP without a pause, each from one port."""
    strangers = (
        *(
            f"{_COUNTRIES[number % len(_COUNTRIES)]}.{number % 250}.{1 + number % 253}"
            for number in range(ipv4)
        ),
        *(f"2a00:1450:{number:x}::7" for number in range(ipv6)),
    )
    named = {f"stranger-{number}": source for number, source in enumerate(strangers)}
    named |= {f"phone-{number}": source for number, source in enumerate(JAPANESE)}
    probes = {
        name: Probe(
            ip_address(source),
            PBX[_family(source)],
            Transport.UDP,
            5060,
            source_port=5060,
            payload=sip_options,
        )
        for name, source in named.items()
    }
    return lab.stream(probes, every=_EVERY)


def strangers_in(stream: Stream, number: int = _ALL) -> int:
    """How many packets of strangers have got in so far."""
    return sum(stream.arrived(f"stranger-{each}") for each in range(number))


def steps() -> Iterator[str]:
    """Yield the commands that the README shows from "Five minutes" on, but the first and overrides.

    Of examples with output, these are the lines after the prompt.
    """
    text = (_TOP / "README.md").read_text(encoding="utf-8")
    part = text[text.index("## Five minutes") : text.index("## Daily life")]
    blocks = re.findall(r"^```(sh|console)\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
    for language, block in blocks[1:]:
        if language == "console":
            yield "\n".join(re.findall(r"^\$ (.*)$", block, re.MULTILINE))
        elif "--accept" not in block:
            yield block


def install(system: System, *, tracked: bool) -> None:
    """Do step 1, and set up the rest."""
    system.check_out(_CHECKOUT)
    system.trust_as_here()
    system.run("sh", "-c", f"cd {_CHECKOUT} && sudo ./bootstrap install")
    furnish(system, tracked=tracked)


def furnish(system: System, *, tracked: bool) -> None:
    """Set up what the lab has in the place of the Internet, and a PBX."""
    system.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    system.write(
        "/etc/hosts",
        f"127.0.0.1 localhost {socket.gethostname()}\n198.51.100.200 sip.provider.example\n",
    )
    system.write("/etc/network/interfaces", INTERFACES)
    system.write("/etc/geofence/rules.d/05-lists.toml", RULES)
    system.write("/etc/systemd/system/lists.service", LISTS)
    system.write("/etc/systemd/system/asterisk.service", ASTERISK)
    system.write("/srv/pbx.py", (Path(__file__).parent / "pbx.py").read_text(encoding="utf-8"))
    system.write("/srv/lists/jp.json", japan().decode())
    germany = country_json("DE", *map(list, _GERMANY))
    system.write("/srv/lists/de.json", germany.decode())
    system.run("systemctl", "--quiet", "enable", "lists.service", "asterisk.service")
    if tracked:
        system.write("/etc/nftables.conf", NFTABLES, 0o755)
        system.run("systemctl", "--quiet", "enable", "nftables.service")


def unplug(lab: Lab) -> None:
    """Leave it to the system to give its interface addresses, as at a boot."""
    for family in ("-4", "-6"):
        lab.pbx.run("ip", family, "address", "flush", "dev", "wan")


def follow_the_readme(walk: Walk, stream: Stream) -> None:
    """Do what the README says after the installation."""
    for block in steps():
        commands = re.split(r"\n(?=sudo )", block.strip())
        for command in commands:
            code = walk.type(command)
            if code == 3 and "geofence refresh" in command:  # refused, as the README foretells
                walk.say("  refused: first by the wrong path, which must do no harm")
                walk.type("sudo systemctl enable --now geofence-restore.service")
                walk.look(fenced=False)
                accepted = _shown("geofence refresh --accept")
                walk.expect("'--accept' is taken", holds=walk.type(f"sudo {accepted}") in {0, 5})
            elif "enable --now" in command:
                walk.expect("units are enabled and started", holds=code == 0)
    walk.look(fenced=True)
    before = strangers_in(stream)
    time.sleep(5)
    walk.expect("who attacked before is out", holds=strangers_in(stream) == before)
    all_well(walk)


def _shown(beginning: str) -> str:
    """Return the command of the README that begins so."""
    text = (_TOP / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^(?:sudo )?({beginning}.*)$", text, re.MULTILINE)
    if found is None:
        raise WalkError(f"The README shows no '{beginning}'.")
    return found[1]


def all_well(walk: Walk) -> None:
    """See that status is content and no unit has failed."""
    assert walk.system is not None
    walk.expect("status is content", holds=walk.type("geofence status") == 0)
    _, failed = walk.system.do("systemctl list-units --failed --plain --no-legend")
    walk.expect(f"no unit has failed {failed.strip()}", holds="geofence" not in failed)


def walked(release: str, scratch: Path, *, tracked: bool) -> list[str]:
    """Walk on a release; what was not as it should be.

    Args:
        release: of Debian.
        scratch: a directory to throw away.
        tracked: whether a firewall is enabled there that tracks connections.
    """
    system = System(debootstrapped(release), scratch)
    with Lab() as lab:
        walk = Walk(lab)
        walk.say(f"{release}, {'beside nftables.service' if tracked else 'no firewall'}")
        install(system, tracked=tracked)
        unplug(lab)
        with system.boot(lab.pbx) as walk.system, attack(lab) as stream:
            time.sleep(_ATTACKED)
            walk.look(fenced=False)
            follow_the_readme(walk, stream)
            reports = stream.finish()
            lost = {name: lost_of(each) for name, each in reports.items() if "phone" in name}
            walk.expect(f"no phone lost a packet {lost}", holds=not any(lost.values()))
        walk.say("rebooting")
        unplug(lab)
        with attack(lab) as stream, system.boot(lab.pbx) as walk.system:
            walk.expect("no stranger got in at the boot", holds=strangers_in(stream) == 0)
            walk.look(fenced=True)
            all_well(walk)
            walk.expect("still none", holds=strangers_in(stream) == 0)
        return walk.problems


def main() -> int:
    """Walk, and say how it went."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.walk",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--release", default="bookworm", help="bookworm, trixie, …")
    asked = parser.parse_args()
    problems: list[str] = []
    for tracked in (False, True):
        with tempfile.TemporaryDirectory(prefix="geofence-walk-") as scratch:
            try:
                problems += walked(asked.release, Path(scratch), tracked=tracked)
            except WalkError as error:
                problems.append(str(error))
    for problem in problems:
        sys.stdout.write(f"WRONG: {problem}\n")
    sys.stdout.write(f"{asked.release}: {'failed' if problems else 'all is well'}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
