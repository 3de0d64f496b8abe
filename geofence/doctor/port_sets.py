"""Ports of several protocols as sets: what is fenced, and what is left of a range. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from geofence.model.policy import Ports

Services = Mapping[str, tuple[Ports, ...]]


def fenced(services: Services) -> tuple[Ports, ...]:
    """Return all ports of services."""
    return tuple(each for ports in services.values() for each in ports)


def covered(ports: Ports, others: Iterable[Ports]) -> bool:
    """Whether others cover the whole range."""
    return not left(ports, others)


def left(ports: Ports, others: Iterable[Ports]) -> tuple[Ports, ...]:
    """Return what of a range others do not cover, ascending."""
    rest = [ports]
    for other in others:
        rest = [part for each in rest for part in _without(each, other)]
    return tuple(sorted(rest))


def common(ports: Ports, others: Iterable[Ports]) -> tuple[Ports, ...]:
    """Return the parts of a range that others cover, ascending; others do not overlap."""
    return tuple(
        sorted(
            Ports(ports.protocol, max(ports.first, each.first), min(ports.last, each.last))
            for each in others
            if each.overlaps(ports)
        )
    )


def united(ports: Iterable[Ports]) -> tuple[Ports, ...]:
    """Return ascending ranges without overlaps, neighbours as one."""
    found: list[Ports] = []
    for each in sorted(ports):
        last = found[-1] if found else None
        if last and last.protocol is each.protocol and each.first <= last.last + 1:
            found[-1] = Ports(each.protocol, last.first, max(last.last, each.last))
        else:
            found.append(each)
    return tuple(found)


def _without(one: Ports, other: Ports) -> Iterable[Ports]:
    if not one.overlaps(other):
        return (one,)
    ends = ((one.first, other.first - 1), (other.last + 1, one.last))
    return tuple(Ports(one.protocol, *each) for each in ends if each[0] <= each[1])
