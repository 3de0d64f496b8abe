"""Hosts beside each other, each with a fence of its own, and one process that floods them in turns.

Each host is a network namespace, so all fences are up at once, and a flood of one follows a flood
of another within milliseconds: what disturbs the machine for longer than that disturbs both.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from socket import AF_INET, SO_RCVBUF, SOCK_DGRAM, SOL_SOCKET
from typing import NamedTuple

from benchmarks.flood import Cost
from geofence.lab.host import Host
from geofence.lab.wiring import connect, plug

ADDRESS = "198.51.100.1"
"""Of each host."""
INTERFACE = "pbx"
HERE, ELSEWHERE = "02:00:00:00:00:02", "02:00:00:00:00:03"
"""MAC addresses: of each host, and of nobody."""
SIP, MEDIA = 5060, 10_000
ASKED = 3478
"""The port of other hosts that hosts ask."""
_GATEWAY = "198.51.100.2"


class Received(NamedTuple):
    """Packets that IP has looked at, and those it delivered (RFC 4293)."""

    looked_at: int
    delivered: int

    def since(self, before: Received) -> Received:
        """What has come since."""
        return Received(self.looked_at - before.looked_at, self.delivered - before.delivered)


class Fenced:
    """A host with whatever is built on it, and the sender's interface to it."""

    def __init__(self, name: str, interface: str, stack: ExitStack) -> None:
        """Make the host; it is gone with the stack."""
        self.name, self.interface = name, interface
        self.host = stack.enter_context(Host(name))
        self._sockets = {port: self.host.socket(AF_INET, SOCK_DGRAM) for port in (SIP, MEDIA)}
        for port, taking in self._sockets.items():
            stack.callback(taking.close)
            taking.setsockopt(SOL_SOCKET, SO_RCVBUF, 1)  # full soon, which costs little
            taking.bind(("0.0.0.0", port))  # noqa: S104 - in a network namespace of its own

    def received(self) -> Received:
        """What IP has received so far."""
        with self.host.entered():
            counters = Path("/proc/thread-self/net/snmp").read_text()
        names, values = (line.split() for line in counters.splitlines() if line.startswith("Ip:"))
        counted = dict(zip(names, values, strict=True))
        return Received(int(counted["InReceives"]), int(counted["InDelivers"]))

    def tell(self, addresses: Sequence[str], here: int, there: int) -> None:
        """Send something to each, from one port of this host's to one of theirs."""
        for address in addresses:
            self._sockets[here].sendto(b"\0", (address, there))

    def forget_flows(self) -> None:
        """Let conntrack forget all flows."""
        with self.host.entered():
            subprocess.run(["conntrack", "-F"], check=True, capture_output=True)


class Sender:
    """The flooding process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Take over a process that is ready."""
        self._process = process

    def send(self, interface: str, mac: str, which: int, warm: int, count: int) -> Cost:
        """Send packets of a file, the first of them unmeasured.

        Returns:
            What all measured ones took together.
        """
        assert self._process.stdin  # noqa: S101 - for the type checker; it is a pipe
        assert self._process.stdout  # noqa: S101 - for the type checker; it is a pipe
        self._process.stdin.write(f"{interface} {mac} {which} {warm} {count}\n")
        self._process.stdin.flush()
        nanoseconds, instructions = self._process.stdout.readline().split()
        return Cost(int(nanoseconds), None if instructions == "-" else int(instructions))


class Network(AbstractContextManager["Network"]):
    """The sender's host, and the hosts it can flood."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Begin without fenced hosts.

        Args:
            files: of packets; see ``flood``.
        """
        self.fenced: dict[str, Fenced] = {}
        self._files = files
        self._stack = ExitStack()
        self._host = self._stack.enter_context(Host("sender"))

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, name: str) -> Fenced:
        """Add a host without a fence."""
        number = len(self.fenced)
        fenced = Fenced(name, f"out{number}", self._stack)
        here = plug(self._host, fenced.interface, f"02:00:00:00:01:{number:02x}")
        connect(here, plug(fenced.host, INTERFACE, HERE, f"{ADDRESS}/24"))
        fenced.host.run("ip", "link", "set", "lo", "up")
        neighbour = ("lladdr", here.mac, "dev", INTERFACE, "nud", "permanent")
        fenced.host.run("ip", "neighbour", "add", _GATEWAY, *neighbour)
        # Without a route to them, foreign sources are martians.
        fenced.host.run("ip", "route", "add", "default", "via", _GATEWAY)
        self.fenced[name] = fenced
        return fenced

    @contextmanager
    def sending(self) -> Iterator[Sender]:
        """Start a flooding process.

        Where its memory lies is chance, and moves all costs by some percent, not all by the same.
        """
        command = [sys.executable, "-m", "benchmarks.flood", ADDRESS, *map(str, self._files)]
        process = self._host.start(command)
        try:
            assert process.stdout  # noqa: S101 - for the type checker; it is a pipe
            if process.stdout.readline() != "ready\n":
                raise SystemExit("The flooding process did not start.")
            yield Sender(process)
        finally:
            process.kill()
            process.communicate()
