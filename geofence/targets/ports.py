"""Sets of ports, as ranges in their one form."""

from __future__ import annotations

from collections.abc import Iterable

from geofence.model.policy import Ports


def ports_of(ranges: Iterable[Ports]) -> tuple[Ports, ...]:
    """Return the same ports as ranges that neither overlap nor touch, UDP first, ascending."""
    joined: list[Ports] = []
    for each in sorted(ranges, key=_order):
        last = joined[-1] if joined else None
        if last and last.protocol is each.protocol and each.first <= last.last + 1:
            joined[-1] = Ports(each.protocol, last.first, max(last.last, each.last))
        else:
            joined.append(each)
    return tuple(joined)


def without_ports(ports: tuple[Ports, ...], others: Iterable[Ports]) -> tuple[Ports, ...]:
    """Return the ports that are in none of the other ranges; both in their one form or not."""
    left = list(ports)
    for other in others:
        left = [piece for each in left for piece in _cut(each, other)]
    return ports_of(left)


def _cut(ports: Ports, other: Ports) -> list[Ports]:
    if not ports.overlaps(other):
        return [ports]
    pieces = (
        (ports.first, other.first - 1),
        (other.last + 1, ports.last),
    )
    return [Ports(ports.protocol, first, last) for first, last in pieces if first <= last]


def _order(ports: Ports) -> tuple[bool, int, int]:
    return ports.protocol != "udp", ports.first, ports.last
