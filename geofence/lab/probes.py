"""Probes: packets that are sent at a fence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from geofence.lab import packets
from geofence.lab.packets import Address, Path, Segment, Tcp
from geofence.lab.payloads import Payload, plain, token_text

Build = Callable[["Probe", int, int], list[bytes]]
"""From a probe, a source port and a token to IP packets."""


class Transport(StrEnum):
    """What a probe speaks."""

    UDP = "udp"
    TCP = "tcp"
    ICMP = "icmp"
    """An echo request of the family."""


def one_packet(probe: Probe, source_port: int, token: int) -> list[bytes]:
    """Return the one IP packet of a probe.

    Args:
        probe: what to send.
        source_port: where the probe names none.
        token: by which the observer tells it from others, 32 bits.
    """
    path = Path(probe.source, probe.destination)
    return [packets.ip_packet(path, segment_of(probe, source_port, token), token)]


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
    build: Build = one_packet
    """Makes the packets."""
    link: str = "wan"
    """The interface of the PBX at which it arrives."""


def segment_of(probe: Probe, source_port: int, token: int) -> Segment:
    """Return what a probe's packet carries."""
    path = Path(probe.source, probe.destination)
    match probe.transport:
        case Transport.UDP:
            return packets.udp(path, source_port, probe.port, probe.payload(token))
        case Transport.TCP:
            return packets.tcp(path, source_port, probe.port, token, probe.flags)
        case Transport.ICMP:
            return packets.echo(path, token_text(token))
