"""What the shield has dropped, read from the kernel's counters."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from geofence.model.prefixes import Family
from geofence.model.shield import ShieldDrops
from geofence.shield import bpf, raising
from geofence.shield.counting import COUNT_SIZE

_COUNT = struct.Struct("=QQ8x")


class Counts(NamedTuple):
    """The kernel's counters."""

    dropped: tuple[ShieldDrops, ...] = ()
    sampled: int = 0
    """Packets that were marked instead of dropped."""


def read_counts(bpf_directory: Path, services: tuple[str, ...]) -> Counts:
    """Return what was counted; nothing where there are no counters of these services."""
    number = 2 * len(services) + 1
    descriptor = raising.pinned_counters(bpf_directory, COUNT_SIZE, number)
    if descriptor is None:
        return Counts()
    try:
        values = [_sum(bpf.per_cpu_values(descriptor, at, COUNT_SIZE)) for at in range(number)]
    finally:
        os.close(descriptor)
    places = [(service, family) for family in Family for service in services]
    dropped = (ShieldDrops(*p, *value) for p, value in zip(places, values, strict=False))
    return Counts(tuple(dropped), values[-1][0])


def together(*parts: Iterable[ShieldDrops]) -> tuple[ShieldDrops, ...]:
    """Return the sums by service and family."""
    found: dict[tuple[str, Family], ShieldDrops] = {}
    for part in parts:
        for service, family, packets, octets in part:
            known = found.get((service, family), ShieldDrops(service, family, 0, 0))
            more = ShieldDrops(service, family, known.packets + packets, known.octets + octets)
            found[service, family] = more
    return tuple(found.values())


def _sum(values: Iterable[bytes]) -> tuple[int, int]:
    pairs = [_COUNT.unpack(value) for value in values]
    return sum(packets for packets, _ in pairs), sum(octets for _, octets in pairs)
