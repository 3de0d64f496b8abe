"""Runtime sets brought to what is recorded: bans, exceptions for a time, room for sources.

The kernel ends them by itself; the record tells what a reboot, another backend or a killed run may
have lost. Each run that applies a fence calls ``put_in_force``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from geofence.apply import Applied, Seen, apply_ruleset
from geofence.backends import registry
from geofence.errors import BackendUnavailable, GeofenceError, StateError
from geofence.lean import UTC, datetime
from geofence.model.elements import TimedPrefix
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import Role, Ruleset, SetKey
from geofence.operations.counters import note_counting
from geofence.operations.shield import lower_shield
from geofence.operations.site import Site
from geofence.state.files import BANS_LOG, TIMED_RECORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.backends.interface import Backend
    from geofence.model.bans import Ban
    from geofence.model.notes import Note
    from geofence.state.timed import Timed

BAN_KEYS = tuple(SetKey(Role.BAN, "", family) for family in Family)


def put_in_force(
    site: Site,
    backend: Backend,
    ruleset: Ruleset,
    timed: Timed | None = None,
    seen: Seen | None = None,
) -> tuple[Applied, tuple[Note, ...]]:
    """Apply a ruleset, and bring its runtime sets to what is recorded.

    Args:
        site: the installation; the caller holds the lock of runs.
        backend: holds the fence.
        ruleset: what to apply.
        timed: what is allowed until a time, to be recorded; None: as it is recorded.
        seen: what the kernel held a moment ago, if it was read.

    Returns:
        What was applied, and notes on what could not be brought along.

    Raises:
        BackendError: the kernel refused the ruleset.
        VerificationError: the kernel took it and then did not hold it.
    """
    if timed is not None and _is_new(site, timed):
        lower_shield(site)
    # The shield's tables have only whom the present fence may allow.
    applied = apply_ruleset(backend, ruleset, partial(lower_shield, site), seen)
    note_counting(site, backend, applied.plan)
    return applied, synchronize(site, backend, ruleset, applied.plan.observed.runtime, timed)


def _is_new(site: Site, timed: Timed) -> bool:
    """Whether something else is allowed until a time than before."""
    try:
        return {key: held for key, held in timed.items() if held} != site.timed.load()
    except StateError:
        return True


def without_labels(backend: Backend) -> tuple[Note, ...]:
    """Return a note where the kernel cannot label connections."""
    if backend.labels:
        return ()
    from geofence.model.notes import Note, NoteKind

    return (Note(NoteKind.WITHOUT_LABELS),)


def synchronize(
    site: Site,
    backend: Backend,
    ruleset: Ruleset,
    before: Mapping[SetKey, PrefixSet],
    timed: Timed | None = None,
) -> tuple[Note, ...]:
    """Bring runtime sets to what is recorded, and make room; the caller holds the lock of runs.

    A record that cannot be read leaves the kernel as it is; of one that cannot be written, the
    kernel holds the new content all the same.

    Args:
        site: the installation.
        backend: holds the fence.
        ruleset: what is applied.
        before: the runtime sets that were there; others are new and empty.
        timed: what is allowed until a time, to be recorded; None: as it is recorded.
    """
    if not ruleset.services:
        return ()
    acts: tuple[Callable[[], Iterable[Note]], ...] = (
        lambda: _hold_bans(site, backend),
        lambda: _record(site, timed),
        lambda: _hold_timed(backend, ruleset, before, _timed(site, timed)),
        lambda: _prune(backend, ruleset, before),
    )
    notes: list[Note] = []
    for act in acts:
        try:
            notes += act()
        except GeofenceError as error:
            from geofence.model.notes import problem

            notes.append(problem(error))
    return tuple(notes)


def _timed(site: Site, timed: Timed | None) -> Timed:
    if timed is not None:
        return timed
    return site.timed.load() if os.path.lexists(site.state_directory / TIMED_RECORD) else {}


def _record(site: Site, timed: Timed | None) -> tuple[Note, ...]:
    if timed is not None:
        site.timed.record(timed)
    return ()


def _hold_bans(site: Site, backend: Backend) -> Iterable[Note]:
    if not (site.state_directory / BANS_LOG).exists():
        return ()
    with site.bans.held(site.lock_seconds):
        banned = site.bans.load()
        now = datetime.now(UTC)
        hold_bans(backend, banned.lasting(now).values())
        if banned.lines and not _read_only(site):
            site.bans.tidy(banned, now)
    if not banned.damaged:
        return ()
    from geofence.model.notes import Note, NoteKind

    return (Note(NoteKind.BANS_DAMAGED, str(site.bans.path), {"number": banned.damaged}),)


def _read_only(site: Site) -> bool:
    """Whether the state is on a disk that cannot be written, as early at boot."""
    return bool(os.statvfs(site.state_directory).f_flag & os.ST_RDONLY)


def hold_bans(backend: Backend, bans: Iterable[Ban]) -> None:
    """Make the sets of bans hold these and no others.

    Raises:
        BackendError: the kernel refused.
    """
    wanted = [as_timed(ban) for ban in bans]
    for key in BAN_KEYS:
        backend.hold(key, wanted, time.time())


def as_timed(ban: Ban) -> TimedPrefix:
    """Return a ban as an element of a set."""
    return TimedPrefix(ban.prefix, ban.until.timestamp() if ban.until else None)


def _hold_timed(
    backend: Backend, ruleset: Ruleset, before: Mapping[SetKey, PrefixSet], recorded: Timed
) -> Iterable[Note]:
    now = time.time()
    for key in ruleset.runtime_keys:
        wanted = recorded.get(key, ())
        if key.role is Role.TIMED and (wanted or before.get(key)):
            backend.hold(key, wanted, now)
    return ()


def _prune(
    backend: Backend, ruleset: Ruleset, before: Mapping[SetKey, PrefixSet]
) -> Iterable[Note]:
    """Forget noted sources where a set is nearly full."""
    if not before:  # at boot
        return ()
    from geofence.denied.pruning import is_crowded, strays, superfluous

    for service in ruleset.services:
        for family in Family:
            denied_key, seen_key = (
                SetKey(role, service.name, family) for role in (Role.DENIED, Role.SEEN)
            )
            if seen_key not in before:
                continue
            # It has all that the other has. Times, which take longer to read, are seldom needed.
            if not is_crowded(backend.noted(seen_key, times=False)):
                continue
            seen, denied = backend.noted(seen_key), backend.noted(denied_key)
            gone = superfluous(denied, seen)
            if gone:
                backend.forget(denied_key, gone)
            backend.forget(seen_key, [*gone, *strays(denied, seen)])
    return ()


def holders(keys: Sequence[SetKey] = BAN_KEYS) -> list[Backend]:
    """Return the backends of which the kernel holds runtime sets."""
    found: list[Backend] = []
    for name in registry.MODULES:
        backend = registry.load(name)
        try:
            if set(keys) & backend.keys():
                found.append(backend)
        except BackendUnavailable:  # what cannot work here holds nothing here
            continue
    return found
