"""Counts over time: what the kernel's counters gained since the last look is added up on disk.

Rules are counted whenever a run is about to make them anew, and with each repair, so that nothing
is lost. Noted sources are read more seldom: there may be 65,536 a service. Counts decide nothing,
and no failure of theirs is one of a run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from geofence.denied.sources import Knowledge, Sources, distinct, labels, sent_between
from geofence.errors import GeofenceError, RulesError, StateError
from geofence.host.boot import boot_id
from geofence.model.counts import Counted, CountKey, Counts, Resolution, Tallies, Tally, gained
from geofence.model.notes import Note, NoteKind, problem
from geofence.operations.denied import noted_sources, read_dropped
from geofence.operations.dropped_counts import keep_dropped
from geofence.operations.knowledge import known_countries
from geofence.operations.site import Site
from geofence.state.counts import CountStore, DamagedCountsError, Look

if TYPE_CHECKING:
    from geofence.operations.exceptions import ExceptionsReport

_SOURCES_EVERY = timedelta(minutes=10)
"""How often noted sources are read at most."""


def keep_before_removal(site: Site) -> None:
    """Add all that the fence in the kernel has counted, since it is about to be removed."""
    keep_sources(site, every=timedelta())
    with suppress(GeofenceError):
        keep_dropped(site, read_dropped(site), anew=True)


def keep_sources(
    site: Site, *, every: timedelta = _SOURCES_EVERY, now: datetime | None = None
) -> tuple[Note, ...]:
    """Add what noted sources sent, and how exceptions and bans were used; a failure is a note.

    Args:
        site: the installation.
        every: nothing is done if the last look was a shorter time ago.
        now: the time, UTC; None: that of the clock.
    """
    if not site.state_directory.is_dir():
        return ()
    store = CountStore(site.state_directory)
    moment = now or datetime.now(UTC)
    try:
        try:
            _keep_sources(site, store, moment, every)
        except DamagedCountsError as error:
            aside = store.put_aside()
            _keep_sources(site, store, moment, every)
            data = {"message": str(error), "aside": str(aside)}
            return (Note(NoteKind.COUNTS_BEGUN_ANEW, str(store.path), data),)
    except GeofenceError as error:
        return (Note(NoteKind.COUNTS_NOT_KEPT, str(store.path), {"message": str(error)}),)
    return ()


def read_counts(site: Site) -> tuple[Counts, tuple[Note, ...]]:
    """Return all counts, and a note if they cannot be read."""
    try:
        return CountStore(site.state_directory).read(), ()
    except StateError as error:
        return Counts(), (problem(error),)


def _keep_sources(site: Site, store: CountStore, now: datetime, every: timedelta) -> None:
    last, boot = store.last(), boot_id()
    if last.sources_at and timedelta() <= now - last.sources_at < every:
        return
    before = {(each.service, each.family): each for each in store.sources()}
    found = list(noted_sources(site))
    more = [sent_between(before.get((part.service, part.family)), part) for part in found]
    # Without an index of the world, all lists are read for it.
    known = known_countries(site).knowledge if any(each.number for each in found) else Knowledge()
    shown = _used(site)
    used = gained(last.of(boot, *Counted), shown)
    gains: dict[Resolution | None, Tallies] = {}
    for length in (*Resolution, None):
        since = length.start(now) if length else last.at
        moment = since.timestamp() if since else 0.0
        gains[length] = {**_tallied(more, [part.since(moment) for part in found], known), **used}
    stands = {**last.of(boot, Counted.SERVICE), **shown}
    # If another process has looked meanwhile, it has added the same, or the next look does.
    store.add(Look(now, boot, stands, now), gains, found, after=last)


def _tallied(
    more: Sequence[Sources], present: Sequence[Sources], known: Knowledge
) -> dict[CountKey, Tally]:
    """Return what sources sent, and how many there were, by service and family and by country.

    Args:
        more: what each sent since the last look.
        present: those that came in the period.
        known: which country has an address.
    """
    found: dict[CountKey, Tally] = {}
    for part, here in zip(more, present, strict=True):
        key = CountKey(Counted.SOURCES, part.service, part.family)
        found[key] = Tally(sum(part.packets), sum(part.octets), here.number)
    for name, tally in _by_country(more, known).items():
        found[CountKey(Counted.COUNTRY, name)] = tally
    for name, sources in _sources_by_country(present, known).items():
        key = CountKey(Counted.COUNTRY, name)
        found[key] = found.get(key, Tally()).plus(Tally(sources=sources))
    return {key: tally for key, tally in found.items() if any(tally)}


def _by_country(parts: Iterable[Sources], known: Knowledge) -> dict[str, Tally]:
    packets: Counter[str] = Counter()
    octets: Counter[str] = Counter()
    for part in parts:
        names = [name or "" for name in labels(part, known.countries)]
        for name, sent, size in zip(names, part.packets, part.octets, strict=True):
            packets[name] += sent
            octets[name] += size
    return {name: Tally(packets[name], octets[name]) for name in packets}


def _sources_by_country(parts: Sequence[Sources], known: Knowledge) -> dict[str, int]:
    """Return how many distinct sources came from each country."""
    found: defaultdict[str, list[Sources]] = defaultdict(list)
    for part in parts:
        places: defaultdict[str, list[int]] = defaultdict(list)
        for at, name in enumerate(labels(part, known.countries)):
            places[name or ""].append(at)
        for name, mine in places.items():
            found[name].append(part.only(mine))
    return {name: distinct(mine) for name, mine in found.items()}


def _used(site: Site) -> dict[CountKey, Tally]:
    """Return what exceptions let pass and bans dropped, as the kernel counts it."""
    from geofence.operations.bans import Bans
    from geofence.operations.exceptions import exceptions

    found: dict[CountKey, Tally] = {}
    with suppress(RulesError):  # which every run tells
        found = _exceptions(exceptions(site))
        current = Bans(site).all()
        if current:
            packets = sum(each.packets or 0 for each in current)
            octets = sum(each.octets for each in current)
            found[CountKey(Counted.BANS)] = Tally(packets, octets, len(current))
    return found


def _exceptions(report: ExceptionsReport) -> dict[CountKey, Tally]:
    return {
        CountKey(Counted.EXCEPTION, each.exception.name): Tally(each.packets)
        for each in report.exceptions
        if each.packets
    }
