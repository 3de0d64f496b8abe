"""Ports that are fenced, and the loopback, which is not."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from geofence.model.frozen import dataclass

LOOPBACK = "lo"
"""The interface by which this host sends to itself."""


def besides_loopback(interfaces: Iterable[str]) -> tuple[str, ...]:
    """Return the interfaces by which other hosts can send."""
    return tuple(interface for interface in interfaces if interface != LOOPBACK)


class Protocol(StrEnum):
    """A transport protocol that can be fenced."""

    UDP = "udp"
    TCP = "tcp"

    @property
    def number(self) -> int:
        """IANA protocol number."""
        return 17 if self is Protocol.UDP else 6


@dataclass(frozen=True, slots=True, order=True)
class Ports:
    """A range of ports of one protocol, both ends included; written ``5060-5061/tcp``."""

    protocol: Protocol
    first: int
    last: int

    def __str__(self) -> str:
        ports = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{ports}/{self.protocol}"

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def overlaps(self, other: Ports) -> bool:
        """Whether some packet is for both ranges."""
        same = self.protocol is other.protocol
        return same and self.first <= other.last and other.first <= self.last
