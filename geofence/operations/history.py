"""``history``: recorded generations, and what each changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from geofence.model.generation import Generation, ListNote
from geofence.model.plan import Observed, SetChange
from geofence.model.prefixes import Family
from geofence.model.ruleset import Ruleset
from geofence.operations.site import Site
from geofence.plan import make_plan
from geofence.state.cache import FactCache, stamp
from geofence.state.generations import Damaged
from geofence.state.records import COUNT, FLAG, MOMENT, TEXT, choice, many, objects


class SetDifference(NamedTuple):
    """How the content of a set differs from before."""

    name: str
    family: Family
    added: int
    """Addresses that it has and did not have."""
    removed: int


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One generation and how it differs from the one before it."""

    number: int
    applied_at: datetime
    """UTC."""
    reason: str
    """The command that applied it."""
    backend: str
    services_changed: bool
    sets: tuple[SetDifference, ...] = ()
    """Sets that differ, also those that are new or gone and hold nothing."""
    interfaces_added: tuple[str, ...] = ()
    """Interfaces that became trusted."""
    interfaces_removed: tuple[str, ...] = ()
    """Those that are no longer trusted."""
    local_added: tuple[str, ...] = ()
    """Local networks, ``PREFIX@INTERFACE``, that became allowed."""
    local_removed: tuple[str, ...] = ()
    """Those that are no longer trusted."""
    lists: tuple[ListNote, ...] | None = None
    """The versions of lists that went into it; None: not asked for."""


_SET = objects(SetDifference, name=TEXT, family=choice(Family), added=COUNT, removed=COUNT)
_ENTRY = objects(
    HistoryEntry,
    number=COUNT,
    applied_at=MOMENT,
    reason=TEXT,
    backend=TEXT,
    services_changed=FLAG,
    sets=many(_SET),
    interfaces_added=many(TEXT),
    interfaces_removed=many(TEXT),
    local_added=many(TEXT),
    local_removed=many(TEXT),
)


def history(site: Site) -> Iterator[HistoryEntry | Damaged]:
    """Yield every generation on disk, newest first, with its difference from the one before."""
    waiting: Generation | None = None
    skipped: list[Damaged] = []
    for each in site.generations.walk():
        if isinstance(each, Damaged):
            skipped.append(each)
            continue
        if waiting is not None:
            yield _entry(waiting, each)
        yield from skipped
        waiting, skipped = each, []
    if waiting is not None:
        yield _entry(waiting, None)
    yield from skipped


def latest_changes(site: Site, most: int, cache: FactCache) -> list[HistoryEntry | Damaged]:
    """Return the newest entries of the history, without the versions of lists.

    Args:
        site: the installation.
        most: how many at most.
        cache: has entries of generations whose files are the same.
    """
    numbers = site.generations.numbers()
    return [_latest(site, numbers[at:], cache) for at in range(min(most, len(numbers)))]


def _latest(site: Site, numbers: list[int], cache: FactCache) -> HistoryEntry | Damaged:
    """Return the entry of the first of some generations; the others are those before."""
    key = " ".join(["change", *(stamp(site.generations.path(each)) for each in numbers[:2])])
    known = cache.get(key, _ENTRY)
    if known is not None:
        return known
    found = site.generations.read(numbers[0])
    if isinstance(found, Damaged):
        return found
    older = map(site.generations.read, numbers[1:])
    before = next((each for each in older if isinstance(each, Generation)), None)
    entry = replace(_entry(found, before), lists=None)
    if (before.number if before else None) == next(iter(numbers[1:]), None):
        cache.put(key, _ENTRY, entry)  # else the key does not name the one before
    return entry


def _entry(generation: Generation, before: Generation | None) -> HistoryEntry:
    now, then = generation.ruleset, before.ruleset if before else Ruleset()
    changes = make_plan(now, Observed.holding(then), ()).set_changes
    return HistoryEntry(
        generation.number,
        generation.created_at,
        generation.reason,
        generation.backend,
        services_changed=now.services != then.services,
        sets=tuple(_difference(each) for each in changes),
        interfaces_added=_without(now.interfaces, then.interfaces),
        interfaces_removed=_without(then.interfaces, now.interfaces),
        local_added=_without(_texts(now), _texts(then)),
        local_removed=_without(_texts(then), _texts(now)),
        lists=generation.lists,
    )


def _difference(change: SetChange) -> SetDifference:
    family = change.key.family
    return SetDifference(change.key.name, family, change.added.size, change.removed.size)


def _texts(ruleset: Ruleset) -> tuple[str, ...]:
    return tuple(map(str, ruleset.local))


def _without(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each for each in some if each not in others)
