"""What to send at a fence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from geofence.lab import packets
from geofence.lab.packets import PLAIN, Address, Dress, Path, Segment, Tcp
from geofence.lab.payloads import Payload, plain, token_text


class Transport(StrEnum):
    """What a probe speaks."""

    UDP = "udp"
    TCP = "tcp"
    ICMP = "icmp"
    """An echo request of the family."""
    UNREACHABLE = "unreachable"
    """ICMP port unreachable of the family, about a datagram that came from the probed port."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One packet to be sent, and all that a fence could look at."""

    source: Address
    destination: Address
    transport: Transport
    port: int = 0
    """Destination port; without meaning for an echo."""
    source_port: int | None = None
    """None: one that no other probe of the lab has used, so that conntrack knows no flow of it."""
    payload: Payload = plain
    """UDP only."""
    flags: Tcp = Tcp.SYN
    """TCP only."""
    dress: Dress = PLAIN
    link: str = "wan"
    """The interface of the PBX at which it arrives."""


def wire(probe: Probe, source_port: int, token: int) -> list[bytes]:
    """The IP packets that make up a probe.

    Args:
        probe: what to send.
        source_port: where the probe names none.
        token: by which the observer tells it from others, 32 bits.
    """
    path = Path(probe.source, probe.destination)
    segment = _SEGMENTS[probe.transport](probe, path, source_port, token)
    return packets.wire(path, segment, probe.dress, token)


def _udp(probe: Probe, path: Path, source_port: int, token: int) -> Segment:
    return packets.udp(path, source_port, probe.port, probe.payload(token))


def _tcp(probe: Probe, path: Path, source_port: int, token: int) -> Segment:
    return packets.tcp(path, source_port, probe.port, token, probe.flags)


def _echo(probe: Probe, path: Path, source_port: int, token: int) -> Segment:  # noqa: ARG001 - one of a table
    return packets.echo(path, token_text(token))


def _unreachable(probe: Probe, path: Path, source_port: int, token: int) -> Segment:
    refused = packets.udp(path.reverse, probe.port, source_port, token_text(token))
    quoted = packets.wire(path.reverse, refused)[0]
    return packets.port_unreachable(path, quoted)


_SEGMENTS: dict[Transport, Callable[[Probe, Path, int, int], Segment]] = {
    Transport.UDP: _udp,
    Transport.TCP: _tcp,
    Transport.ICMP: _echo,
    Transport.UNREACHABLE: _unreachable,
}
