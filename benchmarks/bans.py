"""Bans by the thousand: geofence's own commands, and a real fail2ban beside its own actions."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import report
from benchmarks.measure import Subject, empty_namespace, in_turns, usual
from benchmarks.processes import geofence, restore_arguments
from geofence.backends import registry
from geofence.lab.network import Lab
from geofence.model.prefixes import Family, Prefix, PrefixSet
from geofence.operations.runtime import BAN_KEYS
from tests.chaos.ground import ground
from tests.coexistence.asterisk_log import notice
from tests.coexistence.banning import MESSAGES, Banning, banning
from tests.coexistence.machine import DOWNLOADED, Debian, is_real_root

MANY, BURST = 50_000, 1_000
_PATIENCE = 600.0
_OWN = {"iptables-multiport": "f2b-own-multiport", "iptables-ipset-proto6": "f2b-own-ipset"}
"""fail2ban's actions, and what they call the chain or the set."""
_ASK = "sh /etc/fail2ban/action.d/geofence-covering.sh %(__name__)s <ip>"
_JAIL = """\
[{name}]
enabled = true
backend = polling
filter = geofence-asterisk[stream=notice]
logpath = {log}
maxretry = 1
action = {action}
{more}
"""


def bans(scratch: Path, rounds: int) -> None:
    """Both parts."""
    commands(scratch, rounds)
    if is_real_root() and list(DOWNLOADED.glob("fail2ban_*.deb")):
        burst(rounds)
    else:
        print("\nWithout fail2ban's package, or without being root, no burst is measured.")


def commands(scratch: Path, rounds: int) -> None:
    """So many bans in one command, and as lines of standard input."""
    report.heading(
        f"{MANY:,} bans at once",
        "A fence is up, nothing is banned yet. Whole processes: read, checked, recorded, flushed "
        "to the disk, put into the kernel.",
    )
    addresses = _addresses(MANY)
    given = scratch / "lines"
    given.write_text("".join(f"ban {each} 3600 benchmark\n" for each in addresses))
    allowed = PrefixSet.of(Family.IPV4, [Prefix(Family.IPV4, 133 << 24, 8)])
    restores = {name: restore_arguments(name, scratch, allowed) for name in registry.MODULES}
    for name, arguments in restores.items():
        place = arguments[: arguments.index("restore")]
        subjects = [
            Subject(f"ban --lines, {name}", geofence(*place, "ban", "--lines"), given),
            Subject(f"ban, {name}", geofence(*place, "ban", *addresses, "--for", "1h")),
        ]
        clear = _begin_again(scratch / f"state-{name}" / "bans", geofence(*arguments))
        report.costs(in_turns(subjects, rounds, clear), subjects[0].name)
        print()


def _begin_again(record: Path, restore: Sequence[str]) -> Callable[[], None]:
    def clear() -> None:
        empty_namespace()
        shutil.rmtree(record, ignore_errors=True)
        subprocess.run(restore, check=True, capture_output=True)

    return clear


@dataclass(frozen=True, slots=True)
class _Way:
    """How fail2ban bans, and how many bans the kernel holds by it."""

    name: str
    jail: str
    held: Callable[[Banning], int]
    log: str = ""
    """A log of its own, if failures are to be found there; empty: fail2ban is told whom to ban."""


def burst(rounds: int) -> None:
    """A burst of bans through a real fail2ban, until the kernel holds all."""
    report.heading(
        f"{BURST:,} bans in a burst, through fail2ban",
        "Until the kernel holds all. Told: 'fail2ban-client set JAIL banip' with all addresses. "
        f"Found: a log gets one line of each of {BURST:,} sources, and one failure is too many; "
        "for geofence with the shipped ignorecommand, and without it.",
    )
    found: dict[tuple[str, str], list[float]] = {}
    with TemporaryDirectory() as top:
        debian = Debian(Path(top), DOWNLOADED, ("fail2ban",))
        try:
            for _ in range(rounds):
                for backend in sorted(registry.MODULES):
                    for what, seconds in _round(debian, backend):
                        print(*what, f"{seconds:.2f} s", file=sys.stderr, flush=True)
                        found.setdefault(what, []).append(seconds)
        finally:
            debian.close()
    _show(found)


def _round(debian: Debian, backend: str) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield what was measured: how fail2ban knew, by what it banned, and the seconds."""
    with (
        TemporaryDirectory() as name,
        Lab() as lab,
        ground(Path(name), backend, lab) as made,
        banning(debian, made) as host,
    ):
        ways = list(_ways(backend))
        host.install(more="".join(map(_jail, ways)))
        for way in ways:
            if way.log:
                host.machine.write(way.log, "")
        host.start()
        for way in ways:
            yield ("found" if way.log else "told", way.name), _until_held(host, way)


def _ways(backend: str) -> Iterator[_Way]:
    ours = f"geofence, {backend}"
    for action, name in _OWN.items():
        count = _rules if action == "iptables-multiport" else _entries
        yield _Way(action, name.removeprefix("f2b-"), count(name))
        if action != "iptables-multiport":
            yield _Way(action, "own-found", count("f2b-own-found"), "/var/log/asterisk/found")
    yield _Way(ours, "geofence-asterisk", _elements)
    yield _Way(f"{ours}, ignorecommand", "ours-found", _elements, "/var/log/asterisk/ours")
    yield _Way(f"{ours}, no ignorecommand", "ours-quick", _elements, "/var/log/asterisk/quick")


def _jail(way: _Way) -> str:
    if way.jail == "geofence-asterisk":
        return ""
    action = f"{way.name}[name={way.jail}, port=5060, protocol=udp]"
    more = ""
    if way.name.startswith("geofence"):
        action = 'geofence.py[command="/usr/local/bin/geofence"]'
    if way.jail == "ours-found":
        more = f"ignorecommand = {_ASK}"
    return _JAIL.format(name=way.jail, log=way.log or MESSAGES, action=action, more=more)


def _until_held(host: Banning, way: _Way) -> float:
    host.machine.do("fail2ban-client unban --all")
    _await(lambda: way.held(host) == 0)
    addresses = _addresses(BURST)
    began = time.perf_counter()
    if way.log:
        host.log(way.log, *map(notice, addresses))
    else:
        host.machine.run("fail2ban-client", "set", way.jail, "banip", *addresses)
    _await(lambda: way.held(host) >= BURST)
    return time.perf_counter() - began


def _await(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit("The bans did not come.")
        time.sleep(0.02)


def _rules(chain: str) -> Callable[[Banning], int]:
    def count(host: Banning) -> int:
        said = host.machine.do("iptables-save")
        return sum(line.startswith(f"-A {chain} -s ") for line in said.splitlines())

    return count


def _entries(name: str) -> Callable[[Banning], int]:
    def count(host: Banning) -> int:
        return host.machine.do("ipset save").count(f"\nadd {name} ")

    return count


def _elements(host: Banning) -> int:
    with host.ground.lab.pbx.entered():
        held = [each for key in BAN_KEYS for each in host.ground.backend.elements(key)]
    return sum(each.past - each.first for each in held)


def _addresses(count: int) -> list[str]:
    """Addresses of which no two are neighbours."""
    first = int(ip_address("133.64.0.1"))
    return [str(ip_address(first + 2 * at)) for at in range(count)]


def _show(found: dict[tuple[str, str], list[float]]) -> None:
    reference = {how: usual(found[how, "iptables-ipset-proto6"]) for how in ("told", "found")}
    report.table(
        ("fail2ban was", "it banned by", "time", "of iptables-ipset-proto6"),
        (
            (how, name, f"{usual(seconds):.1f} s", f"{usual(seconds) / reference[how]:.2f}")
            for (how, name), seconds in sorted(found.items(), reverse=True)
        ),
    )
