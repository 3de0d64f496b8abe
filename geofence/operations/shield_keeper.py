"""The keeper of the shield: puts it up, audits it, arms it, takes it down.

It puts the shield up under the lock of runs, and only when the kernel holds the newest generation.
A shield is audited first: it marks what it would drop and drops nothing. When the fence has dropped
enough of that, the shield is armed. If a marked packet ever passes the fence, the shield goes.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from geofence.errors import BackendError, BackendUnavailable, BusyError, StateError
from geofence.host.boot import boot_id
from geofence.model.prefixes import Family
from geofence.model.shield import (
    ARMED_SAMPLE,
    ShieldDrops,
    ShieldReason,
    ShieldRecord,
    ShieldState,
    Why,
)
from geofence.operations.shield import lower_shield, remove_shield
from geofence.operations.shield_counts import dropped_since_boot, read_counts
from geofence.operations.shield_wanted import Wanted, fence_fault, wanted_shield
from geofence.operations.site import Site
from geofence.routing.routes import read_local
from geofence.shield import audit, pins, raising
from geofence.shield.attachment import has_tcx
from geofence.shield.counting import COUNT_SIZE, counters
from geofence.shield.loading import KernelSide, ShieldError, kernel_side, load, new_counters
from geofence.state.lock import exclusive
from geofence.state.shield import read_shield, write_shield

_LOCK_SECONDS = 1.0
_IDLE_SHARE = 9
"""The pause after a comparison of everything, in lengths of it."""


class Pace(NamedTuple):
    """How patient the keeper is."""

    samples: int = 100
    """Samples that must come to the fence, and be dropped there, before the shield is armed."""
    seconds: float = 10.0
    """How long it is audited at least."""
    again: float = 3600.0
    """Seconds after a disagreement until it is audited anew."""
    check: float = 60.0
    """Seconds between two comparisons of everything."""
    lost: int = 1000
    """Samples of which at least one must have come to the fence."""


@dataclass(slots=True)
class Keeper:
    """Keeps the shield in step; its user calls ``look`` again and again."""

    site: Site
    pace: Pace = field(default_factory=Pace)
    tcx: bool = field(default_factory=has_tcx)
    """Whether to use tcx where the kernel has it."""
    record: ShieldRecord = field(init=False)
    """What is known of the shield."""
    _side: KernelSide | None = None
    _written: ShieldRecord | None = None
    _signature: Hashable = None
    _checked: float = -1e9
    _pending: bool = True
    """Whether something has changed since everything was compared."""
    _not_before: float = 0.0
    _audited: float = field(default_factory=monotonic)
    _held_down: tuple[float, ShieldReason] | None = None
    """Until when it stays down, and why."""
    _addresses: frozenset[tuple[Family, int]] = frozenset()

    def __post_init__(self) -> None:
        """Go on with what an earlier process has recorded since the boot."""
        known = read_shield(self.site.state_directory)
        self.record = known or ShieldRecord(ShieldState.OFF, _now(), boot_id())
        self._written = known

    def look(self, *, changed: bool = False) -> ShieldRecord:
        """Look at everything, act, and return what is known then.

        Args:
            changed: whether routes, addresses or rules of nftables have changed.

        Raises:
            BackendError: the shield cannot be taken down.
        """
        if self.record.state is not ShieldState.OFF:
            self._drop_stale_addresses(changed=changed)
            self._audit()
        signature = _signature(self.site)
        late = monotonic() - self._checked >= self.pace.check
        self._pending |= changed or late or signature != self._signature
        if not self._is_as_recorded() or (self._pending and monotonic() >= self._not_before):
            self._signature = signature
            self._compare()
        return self.record

    def take_down(self) -> None:
        """Take the shield away with all that belongs to it.

        Raises:
            BackendError: it is still there.
        """
        self._end(())

    def _compare(self) -> None:
        """Compare everything, under the lock of runs; the next look does if another run has it."""
        began = monotonic()
        try:
            with exclusive(self.site.state_directory, _LOCK_SECONDS):
                self._follow(None)
        except (BusyError, StateError):
            self._pending = True
            return
        self._pending, self._checked = False, monotonic()
        self._not_before = self._checked + _IDLE_SHARE * (self._checked - began)

    def _drop_stale_addresses(self, *, changed: bool) -> None:
        """Take the shield down at once if an address in its program is no more this host's."""
        if changed and self._addresses:
            now = {(route.prefix.family, route.prefix.network) for route in read_local()}
            if not self._addresses <= now:
                lower_shield(self.site)

    def _audit(self) -> None:
        """Look at the counter behind the fence; arm the shield, or take it down."""
        counted = audit.counted()
        if counted is None:
            lower_shield(self.site)
            self._end((self._fence_fault() or ShieldReason(Why.NO_COUNTER),))
        elif counted.passed:
            self._disagree(counted.passed)
        elif self.record.state is ShieldState.AUDITING:
            self.record = replace(self.record, samples=counted.arrived)
            if counted.arrived >= self.pace.samples:
                if monotonic() - self._audited >= self.pace.seconds:
                    self._arm()
            elif not counted.arrived and self._sampled() >= self.pace.lost:
                self._hold_down(ShieldReason(Why.LOST_MARKS))

    def _disagree(self, passed: int) -> None:
        """Take the shield down; where the fence itself is not as applied, that is why."""
        lower_shield(self.site)
        fault = self._fence_fault()
        if fault:
            self._end((fault,))
        else:
            self._hold_down(ShieldReason(Why.DISAGREEMENT, str(passed)))

    def _fence_fault(self) -> ShieldReason | None:
        """Return why the fence is not as applied; None if it is."""
        try:
            fault = fence_fault(self.site)
        except BackendError as error:
            return ShieldReason(Why.NO_FENCE, str(error))
        return fault if isinstance(fault, ShieldReason) else None

    def _arm(self) -> None:
        with suppress(BusyError, StateError):
            with exclusive(self.site.state_directory, _LOCK_SECONDS):
                self._follow(ShieldState.ARMED)
            if self.record.state is ShieldState.ARMED:
                audit.place_counters(self.record.mark, before=False)

    def _hold_down(self, reason: ShieldReason) -> None:
        self._held_down = (monotonic() + self.pace.again, reason)
        self._end((reason,))

    def _end(self, reasons: tuple[ShieldReason, ...]) -> None:
        """Take the shield away; its counts stay known."""
        dropped = self._dropped()
        if self.record.state is not ShieldState.OFF or pins.is_up(self.site.bpf_directory):
            remove_shield(self.site)
        known = self.record
        same = known.state is ShieldState.OFF and known.reasons == reasons
        since = known.since if same else _now()
        made = ShieldRecord(ShieldState.OFF, since, boot_id(), reasons)
        self._addresses = frozenset()
        self._become(replace(made, dropped=dropped, before=dropped))

    def _follow(self, state: ShieldState | None) -> None:
        """Put the shield up as it has to be, or take it away; the caller holds the lock.

        Args:
            state: what it becomes; None: what it was, and audited at first.
        """
        until, why = self._held_down or (0.0, None)
        if why is not None and monotonic() < until:
            self._end((why,))
            return
        wanted = wanted_shield(self.site)
        if not isinstance(wanted, Wanted):
            self._end(wanted)
            return
        was = self.record.state
        new = state or (ShieldState.AUDITING if was is ShieldState.OFF else was)
        try:
            self._put_up(wanted, new)
        except ShieldError as error:
            self._end((error.reason,))
        except BackendUnavailable as error:
            self._end((ShieldReason(Why.KERNEL, str(error)),))

    def _put_up(self, wanted: Wanted, state: ShieldState) -> None:
        record = self.record
        kept = record.state is not ShieldState.OFF and not record.mark & wanted.used_marks
        mark = record.mark if kept else wanted.mark
        fingerprint = wanted.fingerprint(mark)
        self._addresses = wanted.addresses
        dropped = self._dropped()
        same = (record.fingerprint, record.state) == (fingerprint, state) and {
            each.number for each in record.interfaces
        } == {port.number for port in wanted.ports}
        if not (same and self._is_as_recorded() and audit.counted() is not None):
            self._attach(wanted, state, mark, dropped)
            since = record.since if record.state is state else _now()
            self.record = replace(self.record, since=since, fingerprint=fingerprint)
        self._become(
            replace(
                self.record,
                dropped=dropped,
                generation=wanted.generation,
                left_out=wanted.made.left_out,
            )
        )

    def _attach(
        self, wanted: Wanted, state: ShieldState, mark: int, dropped: tuple[ShieldDrops, ...]
    ) -> None:
        self._side = self._side or kernel_side()
        auditing = state is ShieldState.AUDITING
        counts, before = self._counters(wanted, dropped)
        try:
            sample = 1 if auditing else ARMED_SAMPLE
            side, made, tables = self._side, wanted.made, wanted.tables
            program = load(side, made, tables, counts, sample=sample, mark=mark)
            try:
                is_up = pins.is_up(self.site.bpf_directory)
                if not is_up or mark != self.record.mark or audit.counted() is None:
                    audit.place_counters(mark, before=auditing)
                    self._audited = monotonic()
                place = self.site.bpf_directory
                on = raising.put_up(place, wanted.ports, program, counts, tcx=self.tcx)
            finally:
                os.close(program)
        finally:
            os.close(counts)
        self.record = ShieldRecord(
            state,
            self.record.since,
            boot_id(),
            interfaces=on,
            mark=mark,
            samples=self.record.samples,
            services=wanted.services,
            before=before,
        )

    def _counters(
        self, wanted: Wanted, dropped: tuple[ShieldDrops, ...]
    ) -> tuple[int, tuple[ShieldDrops, ...]]:
        """Return the counters that are there if they count the same services, or new ones.

        With them comes what was dropped and is not in them.
        """
        place = self.site.bpf_directory
        if wanted.services == self.record.services:
            held = raising.pinned_counters(place, COUNT_SIZE, counters(wanted.made))
            if held is not None:
                return held, self.record.before
        new = new_counters(wanted.made)
        raising.keep_counters(place, new)
        return new, dropped

    def _dropped(self) -> tuple[ShieldDrops, ...]:
        known = read_shield(self.site.state_directory)  # who removed the counters has noted them
        parts = [dropped_since_boot(self.site.bpf_directory, self.record)]
        parts += [known.dropped] if known else []
        return max(parts, key=lambda part: sum(each.packets for each in part))

    def _sampled(self) -> int:
        counts = read_counts(self.site.bpf_directory, self.record.services)
        return counts.sampled if counts else 0

    def _is_as_recorded(self) -> bool:
        """Whether the kernel has the programs where they were put."""
        try:
            seen = raising.seen_up(self.site.bpf_directory)
        except OSError:
            return False
        return seen == {each._replace(name="") for each in self.record.interfaces}

    def _become(self, record: ShieldRecord) -> None:
        self.record = record
        if record != self._written:
            with suppress(StateError):  # a disk that cannot be written does not stop the shield
                write_shield(self.site.state_directory, record)
                self._written = record


def _signature(site: Site) -> Hashable:
    """Return what changes with rules, generations and exceptions for a time."""
    state = site.state_directory
    paths = [state / name for name in ("timed.json", "removed")]
    for directory in (state / "generations", *site.rules_directories):
        with suppress(OSError):
            paths += sorted(directory.iterdir())
    return tuple(map(_facts, paths))


def _facts(path: Path) -> tuple[str, int, int]:
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), found.st_ino, found.st_mtime_ns


def _now() -> datetime:
    return datetime.now(UTC)
