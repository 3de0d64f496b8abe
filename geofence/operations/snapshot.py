"""One value of all that is to be seen at a glance: report, panel and metrics are views of it."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from geofence.denied.sources import Group
from geofence.errors import GeofenceError
from geofence.model.counts import Counted, CountKey, Counts, Tallies, Tally
from geofence.model.notes import Note, problem
from geofence.operations.bans import Bans, CurrentBan
from geofence.operations.counts import read_counts
from geofence.operations.denied import DeniedReport, denied_by_source_and_country
from geofence.operations.exceptions import ExceptionsReport, exceptions
from geofence.operations.facts import Facts
from geofence.operations.history import HistoryEntry, latest_changes
from geofence.operations.site import Site
from geofence.operations.status import StatusReport, status
from geofence.state.cache import FactCache
from geofence.state.generations import Damaged
from geofence.state.outcomes import Ending

MOST_SOURCES = 10_000
"""Denied sources that a snapshot tells one by one, those with the most packets."""
MOST_HISTORY = 30
"""Changes that it tells, the latest."""
WEEK = timedelta(days=7)


class Health(StrEnum):
    """How the fence is, worst last. The values are stable: scripts read them."""

    WELL = "well"
    """It is up as applied, and nothing waits for anybody."""
    ATTENTION = "attention"
    """It is up, and something else is not as it should be: a list, a run, a pending change."""
    OBSERVED = "observed"
    """It is up, and some services are only observed: nothing of theirs is dropped."""
    DIFFERS = "differs"
    """It is up, but not as applied, or without a record, or without a service."""
    OPEN = "open"
    """Packets of some family enter no fence."""


@dataclass(frozen=True, slots=True)
class CountryShare:
    """What came from one country and was turned away."""

    code: str | None
    """None: of no country that lists know."""
    packets: int
    """Noted ones since ``Snapshot.since``, so in a flood a sample."""
    sources: int
    """Noted sources that the kernel remembers."""
    allowed: bool
    """Whether some service allows the country."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The fence, who was turned away, and what is allowed beside."""

    at: datetime
    """UTC."""
    since: datetime
    """From when ``lately`` and ``countries`` count, UTC."""
    health: Health
    status: StatusReport
    denied: DeniedReport = field(default_factory=DeniedReport)
    """At most ``MOST_SOURCES`` of them one by one."""
    countries: tuple[CountryShare, ...] = ()
    """Most packets first."""
    exceptions: ExceptionsReport = field(default_factory=lambda: ExceptionsReport((), ()))
    bans: tuple[CurrentBan, ...] = ()
    history: tuple[HistoryEntry | Damaged, ...] = ()
    """At most ``MOST_HISTORY``, the newest first."""
    counts: Counts = field(default_factory=Counts)
    lately: Tallies = field(default_factory=dict)
    """What was counted since ``since``."""
    notes: tuple[Note, ...] = ()
    """What could not be read."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a snapshot is made of."""

    status: StatusReport
    denied: DeniedReport
    by_country: tuple[Group, ...]
    exceptions: ExceptionsReport
    bans: tuple[CurrentBan, ...]
    history: tuple[HistoryEntry | Damaged, ...]
    counts: Counts
    notes: tuple[Note, ...] = ()


def make_snapshot(parts: Parts, now: datetime, since: datetime) -> Snapshot:
    """Return the snapshot of what was read.

    Args:
        parts: what was read.
        now: when, UTC.
        since: from when to count, UTC.
    """
    lately = parts.counts.lately(since)
    allowed = {code for each in parts.status.allowed for code in each.countries}
    return Snapshot(
        at=now,
        since=since,
        health=health(parts.status),
        status=parts.status,
        denied=parts.denied,
        countries=tuple(_shares(parts.by_country, lately, allowed)),
        exceptions=parts.exceptions,
        bans=parts.bans,
        history=parts.history,
        counts=parts.counts,
        lately=lately,
        notes=parts.notes,
    )


def health(report: StatusReport) -> Health:
    """Return how the fence is."""
    if report.unfenced:
        return Health.OPEN
    if report.drift or report.generation is None or not report.services:
        return Health.DIFFERS
    if any(each.observed for each in report.services):
        return Health.OBSERVED
    last = report.last
    waiting = report.wrong_rules, report.probation, report.stale
    if any(waiting) or (last and (last.failing or last.unresolved or last.ending != Ending.DONE)):
        return Health.ATTENTION
    return Health.WELL


def _shares(
    by_country: Iterable[Group], lately: Tallies, allowed: Iterable[str]
) -> Sequence[CountryShare]:
    """Return each country's share, by what was counted, and by what is noted of the others."""
    noted = {each.name: each for each in by_country}
    counted = {
        key.name or None: tally for key, tally in lately.items() if key.counted is Counted.COUNTRY
    }
    found = [
        CountryShare(
            name,
            counted[name].packets if name in counted else noted[name].packets,
            noted[name].sources if name in noted else counted[name].sources,
            name in set(allowed),
        )
        for name in {**noted, **counted}
    ]
    return sorted(found, key=lambda each: (-each.packets, -each.sources, each.code or "~"))


def snapshot(site: Site, lasting: timedelta = WEEK) -> Snapshot:
    """Read everything, and return the snapshot; what cannot be read is a note.

    Args:
        site: the installation.
        lasting: for how long before now to count.

    Raises:
        RulesError: the rules do not load, and nothing can be told without them.
        BackendError: the kernel does not tell.
    """
    with without_garbage_collection():
        now = datetime.now(UTC)
        return make_snapshot(_read(site), now, now - lasting)


def _read(site: Site) -> Parts:
    cache = FactCache(site.state_directory)
    facts = Facts(site, cache)
    report = status(site, facts)
    counts, notes = read_counts(site)
    try:
        listed, bans = exceptions(site, facts), Bans(site).all()
    except GeofenceError as error:
        listed, bans, notes = ExceptionsReport((), ()), (), (*notes, problem(error))
    rules = None if report.wrong_rules else facts.policy
    sources, by_country = denied_by_source_and_country(site, MOST_SOURCES, rules)
    parts = Parts(
        status=report,
        denied=sources,
        by_country=by_country,
        exceptions=listed,
        bans=bans,
        history=tuple(latest_changes(site, MOST_HISTORY, cache)),
        counts=counts,
        notes=notes,
    )
    cache.save()
    return parts


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Do not look for unused objects meanwhile: among so many it takes a fifth of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def dropped(snapshot: Snapshot, service: str) -> Tally:
    """Return what a service dropped lately, or would have if it is observed."""
    return snapshot.lately.get(CountKey(Counted.SERVICE, service), Tally())
