"""What the shield has dropped: what the kernel's counters have, and what they had before."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from geofence.errors import StateError
from geofence.model.prefixes import Family
from geofence.model.shield import ShieldDrops, ShieldRecord, ShieldState
from geofence.shield import bpf, raising
from geofence.shield.counting import COUNT_SIZE
from geofence.state.shield import read_shield, write_shield

_COUNT = struct.Struct("=QQ8x")


class Counts(NamedTuple):
    """The kernel's counters."""

    dropped: tuple[ShieldDrops, ...] = ()
    sampled: int = 0
    """Packets that were marked instead of dropped."""


def read_counts(bpf_directory: Path, services: tuple[str, ...]) -> Counts | None:
    """Return what was counted; None where there are no counters of these services."""
    number = 2 * len(services) + 1
    descriptor = raising.pinned_counters(bpf_directory, COUNT_SIZE, number)
    if descriptor is None:
        return None
    try:
        values = [_sum(bpf.per_cpu_values(descriptor, at, COUNT_SIZE)) for at in range(number)]
    finally:
        os.close(descriptor)
    places = [(service, family) for family in Family for service in services]
    dropped = (ShieldDrops(*p, *value) for p, value in zip(places, values, strict=False))
    return Counts(tuple(dropped), values[-1][0])


def dropped_since_boot(bpf_directory: Path, record: ShieldRecord) -> tuple[ShieldDrops, ...]:
    """Return all that was dropped; where the counters are gone, what they are known to have had."""
    live = read_counts(bpf_directory, record.services)
    return record.dropped if live is None else together(record.before, live.dropped)


def record_down(state_directory: Path, bpf_directory: Path) -> None:
    """Record that the shield is down, and what it has dropped, since the counters are about to go.

    The process that keeps it may not be there to do so. A disk that cannot be written loses some
    counts, and 'status' tells that the kernel differs from the record.
    """
    record = read_shield(state_directory)
    if record is None:
        return
    dropped = dropped_since_boot(bpf_directory, record)
    is_new = record.state is not ShieldState.OFF
    down = ShieldRecord(ShieldState.OFF, datetime.now(UTC), record.boot) if is_new else record
    with suppress(StateError):
        write_shield(state_directory, replace(down, dropped=dropped, before=dropped))


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
