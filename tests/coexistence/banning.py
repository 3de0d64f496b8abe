"""A PBX on which a real fail2ban reads Asterisk's logs and bans through geofence."""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from geofence.lab.network import PBX
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from tests.chaos.ground import Ground
from tests.cli.machine import ROOT
from tests.coexistence.asterisk_log import now
from tests.coexistence.machine import Debian, Machine

SHIPPED = ROOT / "fail2ban"
MESSAGES, SECURITY = "/var/log/asterisk/messages", "/var/log/asterisk/security"
_SECONDS = 30
_LOG = "/var/log/fail2ban.log"
_SHIM = '#!/bin/sh\necho "$@" >>/run/geofence-called\nexec env -i {variables} {command} "$@"\n'
_JAILS = """\
[DEFAULT]
bantime = {seconds}
findtime = 600
maxretry = {attempts}
[sshd]
enabled = false
"""


class Banning:
    """fail2ban on the PBX of a ground."""

    def __init__(self, ground: Ground, machine: Machine) -> None:
        self.ground = ground
        self.machine = machine

    def install(self, seconds: int = 600, attempts: int = 3, more: str = "") -> None:
        """Install what ships by the documented command, and what an operator sets."""
        self.machine.do("cp -r /run/shipped/. /etc/fail2ban/")
        jails = _JAILS.format(seconds=seconds, attempts=attempts)
        self.machine.write("/etc/fail2ban/jail.d/00-operator.local", jails + more)

    def start(self) -> None:
        """Start fail2ban on empty logs."""
        for path in (MESSAGES, SECURITY):
            self.machine.write(path, "")
        self.machine.do("mkdir -p /run/fail2ban")
        self.resume()

    def resume(self) -> None:
        """Start fail2ban on the logs that there are."""
        self.machine.start("fail2ban", f"fail2ban-server -xf --logtarget {_LOG} start")
        self.machine.until("fail2ban-client ping")

    def log(self, path: str, *lines: str) -> None:
        """Write lines as Asterisk does."""
        with self.machine.outside(path).open("a", encoding="utf-8") as file:
            file.writelines(f"[{now()}] {line}\n" for line in lines)

    def said(self) -> str:
        """fail2ban's own log."""
        return self.machine.do(f"cat {_LOG}")

    def until_said(self, pattern: str, times: int = 1) -> None:
        """Wait until fail2ban has logged it."""
        self.machine.until(f"[ $(grep -cE {shlex.quote(pattern)} {_LOG}) -ge {times} ]")

    def bans(self) -> dict[str, dict[str, Any]]:
        """What geofence bans, by prefix."""
        found = self.ground.machine.ok("bans", "--json").json
        return {each["prefix"]: each for each in found}

    def until_banned(self, *addresses: str) -> None:
        """Wait until the kernel has the bans."""
        wanted = {str(ip_network(address)) for address in addresses}
        deadline = time.monotonic() + _SECONDS
        while wanted - {each for each, ban in self.bans().items() if ban["packets"] is not None}:
            assert time.monotonic() < deadline, self.said()

    def gets_in(self, address: str, port: int = 5060) -> bool:
        """Whether a packet from there reaches the PBX."""
        (landed,) = self.ground.lab.fire([probe(address, port)])
        return landed == "pbx"

    def matches(self, stream: str, lines: Iterable[str]) -> list[str | None]:
        """Which address the shipped filter takes out of each line, by ``fail2ban-regex``."""
        found: list[str | None] = []
        for line in lines:
            said = self.machine.run(
                *("fail2ban-regex", "--out", "ip"),
                *(f"[{now()}] {line}", f"geofence-asterisk[stream={stream}]"),
            )
            addresses = re.findall(r"^[0-9a-f:.]+$", said, re.MULTILINE)
            assert len(addresses) < 2, said
            found.append(addresses[0] if addresses else None)
        return found


def probe(address: str, port: int = 5060, source_port: int | None = None) -> Probe:
    """A SIP packet to the PBX."""
    source = ip_address(address)
    family = Family.IPV4 if source.version == 4 else Family.IPV6
    return Probe(source, PBX[family], Transport.UDP, port, source_port=source_port)


@contextmanager
def banning(debian: Debian, ground: Ground) -> Iterator[Banning]:
    """A fence that is up, and fail2ban beside it, not installed yet."""
    ground.machine.ok("refresh")
    with debian.machine(ground.lab.pbx) as machine:
        for path in {ROOT, Path(sys.prefix), Path(sys.base_prefix), ground.machine.directory}:
            machine.lend(path, str(path))
        machine.lend(SHIPPED, "/run/shipped")
        variables = [f"{name}={text}" for name, text in ground.machine.variables().items()]
        shim = _SHIM.format(
            variables=shlex.join(variables), command=shlex.join(ground.machine.command())
        )
        machine.write("/usr/local/bin/geofence", shim)
        machine.do("chmod 755 /usr/local/bin/geofence")
        yield Banning(ground, machine)
