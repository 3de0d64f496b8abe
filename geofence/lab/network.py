"""The lab's network: the Internet, a PBX on it, and a container behind the PBX.

::

    internet ── wan ──── pbx ── docker0 ── container
        └────── tun0 ─────┘
                (a VPN)
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from ipaddress import ip_address

from geofence.errors import LabError
from geofence.lab import privilege
from geofence.lab.host import Host
from geofence.lab.observer import BLOCK, BLOCKS, Observer
from geofence.lab.packets import Address
from geofence.lab.probes import Probe, Transport
from geofence.lab.sender import MACS, Sender, on_one_cpu
from geofence.lab.stream import RepeatedProbe, Stream
from geofence.lab.wiring import connect, loopback_up, plug, route_default
from geofence.model.prefixes import Family
from geofence.translation import tr

UNFENCED_PORT = 9
"""Markers go to UDP discard (RFC 863): a rule that drops them is no fence but a wall."""

_AT_ONCE = 64
"""Probes between two markers; an ordinary user's receive buffers hold several hundred."""

_FIRST_PORT, _PAST_PORT = 20_001, 60_000
"""Source ports that the lab gives out."""

PBX: Mapping[Family, Address] = {
    Family.IPV4: ip_address("198.51.100.10"),
    Family.IPV6: ip_address("2001:db8:100::10"),
}
"""The public addresses of the PBX."""

CONTAINER: Mapping[Family, Address] = {
    Family.IPV4: ip_address("172.17.0.2"),
    Family.IPV6: ip_address("fd00:17::2"),
}
"""The container's addresses; the Internet reaches them through the PBX."""

GATEWAY: Mapping[Family, Address] = {
    Family.IPV4: ip_address("198.51.100.1"),
    Family.IPV6: ip_address("2001:db8:100::1"),
}
"""The Internet's end of the cable."""


class Lab(AbstractContextManager["Lab"]):
    """Hosts, cables, a sender on the Internet and an observer on each host behind the fence.

    Made when created, removed when closed. The Internet can send from any address.
    """

    def __init__(self) -> None:
        """Build the network.

        Raises:
            LabUnavailable: namespaces cannot be made here.
            LabError: the network could not be built.
        """
        privilege.ensure()
        self._tokens = iter(range(1, BLOCK))
        self._blocks = iter(range(1, BLOCKS))
        self._ports = itertools.cycle(range(_FIRST_PORT, _PAST_PORT))
        with ExitStack() as closing:
            self.internet = closing.enter_context(Host("internet"))
            self.pbx = closing.enter_context(Host("pbx"))
            self.container = closing.enter_context(Host("container"))
            self._wire_up()
            link_layer = self.internet.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
            self._sender = Sender(closing.enter_context(link_layer))
            self.observers = {
                host.name: closing.enter_context(Observer(host))
                for host in (self.pbx, self.container)
            }
            self._closing = closing.pop_all()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take everything down."""
        self._closing.close()

    def _wire_up(self) -> None:
        for host in (self.internet, self.pbx, self.container):
            _prepare(host)
        _make_router(self.pbx)
        internet, pbx, container = self.internet, self.pbx, self.container
        connect(
            plug(internet, "wan", "02:00:00:00:00:01", "198.51.100.1/24", "2001:db8:100::1/64"),
            plug(pbx, "wan", MACS["wan"], "198.51.100.10/24", "2001:db8:100::10/64"),
        )
        connect(
            plug(internet, "tun0", "02:00:00:00:00:02", "10.8.0.2/24", "fd00:8::2/64"),
            plug(pbx, "tun0", MACS["tun0"], "10.8.0.1/24", "fd00:8::1/64"),
        )
        bridge = plug(pbx, "docker0", "02:00:00:00:00:12", "172.17.0.1/16", "fd00:17::1/64")
        connect(
            bridge, plug(container, "eth0", "02:00:00:00:00:03", "172.17.0.2/16", "fd00:17::2/64")
        )
        route_default(pbx, tuple(GATEWAY.values()))
        route_default(container, bridge.gateways)

    def fire(self, probes: Iterable[Probe]) -> list[str | None]:
        """Send probes, and return for each on which host it got in, or None.

        Raises:
            LabError: not even an unfenced packet came through.
        """
        landed: list[str | None] = []
        waiting = iter(probes)
        while volley := list(itertools.islice(waiting, _AT_ONCE)):
            landed += self._volley(volley)
        return landed

    def _volley(self, probes: Sequence[Probe]) -> list[str | None]:
        tokens = [_next(self._tokens) for _ in probes]
        with on_one_cpu():
            for probe, token in zip(probes, tokens, strict=True):
                self._sender.send(probe, next(self._ports), token)
            markers = self._send_markers()
        for name, marker in markers.items():
            self.observers[name].await_token(marker)
        return [self._where(token) for token in tokens]

    def _send_markers(self) -> dict[str, int]:
        """Send one marker to each host behind the fence, by the way of the probes."""
        markers = {}
        for probe, name in zip(marker_probes(), self.observers, strict=True):
            markers[name] = _next(self._tokens)
            self._sender.send(probe, next(self._ports), markers[name])
        return markers

    def _where(self, token: int) -> str | None:
        for name, observer in self.observers.items():
            if observer.arrived(token):
                return name
        return None

    def settle(self) -> None:
        """Wait until all that was sent from this thread has arrived or been dropped."""
        self._volley(())

    def stream(self, probes: Mapping[str, Probe], *, every: float = 0.001) -> Stream:
        """Start a process that sends each probe again and again until the stream is finished.

        Args:
            probes: what to send, by the names that the report calls them.
            every: seconds between two rounds of all probes.

        Raises:
            LabError: the process did not start, or the lab has had as many flows as it can tell
                from each other.
        """
        flows = {
            name: RepeatedProbe(probe, _next(self._blocks) * BLOCK)
            for name, probe in probes.items()
        }
        marker = RepeatedProbe(next(iter(marker_probes())), _next(self._tokens))
        return Stream(self.internet, self.observers["pbx"], flows, marker, every)


def _next(numbers: Iterator[int]) -> int:
    """Return the next number by which packets or flows are told from others.

    Raises:
        LabError: all have been used.
    """
    number = next(numbers, None)
    if number is None:
        raise LabError(
            tr(
                "This lab cannot tell more packets from each other: it has had all {number} "
                "connections or all {packets} single probes that it can number. Use a new lab.",
                number=BLOCKS - 1,
                packets=f"{BLOCK - 1:,}",
            )
        )
    return number


def marker_probes() -> tuple[Probe, Probe]:
    """Return probes that nothing fences: one to the PBX, one through it to the container."""
    source = GATEWAY[Family.IPV4]
    there, behind = PBX[Family.IPV4], CONTAINER[Family.IPV4]
    return (
        Probe(source, there, Transport.UDP, UNFENCED_PORT),
        Probe(source, behind, Transport.UDP, UNFENCED_PORT),
    )


def _prepare(host: Host) -> None:
    """Let a host take packets from anywhere, and check no duplicates."""
    loopback_up(host)
    for name in ("all", "default"):
        host.sysctl(f"net/ipv4/conf/{name}/rp_filter", 0)
        host.sysctl(f"net/ipv6/conf/{name}/accept_dad", 0)
        host.sysctl(f"net/ipv6/conf/{name}/accept_ra", 0)


def _make_router(host: Host) -> None:
    host.sysctl("net/ipv4/ip_forward", 1)
    for name in ("all", "default"):
        host.sysctl(f"net/ipv6/conf/{name}/forwarding", 1)
