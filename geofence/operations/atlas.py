"""``atlas``: the world index, lookups in it, and its renewal.

The lists of all countries come from the sources of ``[source.country]``, by the same fetcher as
those of the fence, with the same limits of size and time and the same parsers. No check compares
them with their previous versions, since no packet depends on the index. A list that cannot be
renewed keeps its part of the index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from geofence.errors import GeofenceError, ListError, StateError
from geofence.fetch.events import Failed, Fresh, Outcome, Renewed, Unchanged, ignore
from geofence.fetch.limits import Limits
from geofence.geoip.atlas import Label, make_atlas
from geofence.geoip.countries import countries
from geofence.merge import needed_lists
from geofence.mirror.memory import MirrorMemory
from geofence.model.address import Address
from geofence.model.frozen import dataclass
from geofence.model.lists import AcceptedList, ListId, ListKind
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace
from geofence.operations.report import ListOutcome, RunReport
from geofence.operations.site import Site
from geofence.state.atlas import StoredAtlas, load_atlas, open_atlas, save_atlas
from geofence.state.backoff import load_busy, save_busy
from geofence.state.files import ensure_private_directory
from geofence.state.lock import exclusive
from geofence.state.mirrors import load_mirrors, save_mirrors
from geofence.state.records import RecordError
from geofence.translation import tr

if TYPE_CHECKING:
    from geofence.fetch.events import FetchReport
    from geofence.operations.lists import Watch

_RUN_SECONDS = 400.0
"""For the first few lists, and for all others: a refresh with both ends within half an hour."""


@dataclass(frozen=True, slots=True)
class AtlasReport:
    """The world index, and what is known of its lists."""

    stored: StoredAtlas
    renewed_after: timedelta | None
    """``[atlas] renew``; None if a refresh does not renew it."""
    notes: tuple[Note, ...] = ()

    @property
    def hosts(self) -> Mapping[str, int]:
        """Number of lists by the host that they came from, most first."""
        urls = (parts[0].url for parts in self.stored.lists.values() if parts)
        return dict(Counter(map(_host, urls)).most_common())


def _host(url: str) -> str:
    """Return the host of a URL, or the directory of a local file."""
    return urlsplit(url).hostname or str(Path(url).parent)


@dataclass(frozen=True, slots=True)
class Located:
    """An address and the countries whose lists have it; the first one counts."""

    address: Address
    countries: Label


def atlas(site: Site) -> AtlasReport:
    """Return the world index as it is.

    Raises:
        RulesError: the rules do not load.
        StateError: there is no index, or it cannot be used.
    """
    stored = load_atlas(site.state_directory)
    if stored is None:
        raise _no_atlas()
    return _report(site.policy(), stored, _incomplete(stored.lists, stored.failed))


def locate(site: Site, addresses: Iterable[Address]) -> tuple[Located, ...]:
    """Look up the countries of addresses.

    Raises:
        StateError: there is no index, or it cannot be used.
    """
    found = open_atlas(site.state_directory)
    if found is None:
        raise _no_atlas()
    return tuple(Located(each, found.claimants(each.family, each.number)) for each in addresses)


def renew(site: Site, watch: Watch = ignore) -> AtlasReport:
    """Ask the sources for the lists of all countries, and make the index of them.

    Raises:
        BusyError: another run holds the lock.
        ListError: no list could be renewed; the index is unchanged.
        RulesError: the rules do not load.
        StateError: the index could not be written; the previous one is unchanged.
    """
    ensure_private_directory(site.state_directory)
    renewal = _Renewal.of(site, site.policy())
    return renewal.run(_all_countries(), watch)


def renew_if_due(site: Site, run: RunReport, watch: Watch = ignore) -> tuple[Note, ...]:
    """Renew the lists of the index that are old, if the rules say so; what a refresh ends with.

    Nothing is asked for if the run reached no source, and a failure is a note.

    Args:
        site: the installation.
        run: the refresh.
        watch: called with each event.
    """
    try:
        policy = site.policy()
        if not policy.atlas_enabled or not _reached_sources(run):
            return ()
        renewal = _Renewal.of(site, policy)
        due = renewal.due(policy.atlas_renew)
        return renewal.run(due, watch).notes if due else ()
    except GeofenceError as error:
        return (_not_renewed(str(error)),)
    except MemoryError:
        return (_not_renewed(tr("There is not enough memory.")),)


def _reached_sources(run: RunReport) -> bool:
    asked = (ListOutcome.RENEWED, ListOutcome.UNCHANGED)
    return not run.lists or any(report.outcome in asked for report in run.lists)


def _not_renewed(why: str) -> Note:
    return Note(NoteKind.ATLAS_NOT_RENEWED, "", {"message": why})


@dataclass(frozen=True, slots=True)
class _Renewal:
    """What a renewal begins with."""

    site: Site
    policy: Policy
    now: datetime
    stored: StoredAtlas | None
    fence: Mapping[ListId, AcceptedList]
    """Lists of countries that the fence has."""
    notes: tuple[Note, ...]

    @classmethod
    def of(cls, site: Site, policy: Policy) -> _Renewal:
        """Read what is on disk."""
        stored, notes = _previous(site)
        needed = (name for name in needed_lists(policy) if name.kind is ListKind.COUNTRY)
        fence, _ = site.lists.load_all(needed)
        return cls(site, policy, datetime.now(UTC), stored, fence, notes)

    def due(self, after: timedelta) -> tuple[ListId, ...]:
        """Return the lists that are missing, or were confirmed longer ago than this."""
        confirmed = self._confirmed()
        return tuple(
            name
            for name in _all_countries()
            if name not in confirmed or abs(self.now - confirmed[name]) > after
        )

    def run(self, wanted: Collection[ListId], watch: Watch) -> AtlasReport:
        """Ask for some lists, and write an index of these and all others.

        Raises:
            BusyError: another run holds the lock.
            ListError: none of them could be renewed; the index is unchanged.
            StateError: it could not be written; the previous one is unchanged.
        """
        at_hand = self._at_hand()
        outcomes, report = _fetched(self.site, self.policy, wanted, at_hand, watch)
        failed = {name.name: o.why for name, o in outcomes.items() if isinstance(o, Failed)}
        why = next(iter(failed.values()), "")
        made = None
        if len(failed) < len(outcomes):
            fresh = {name: _list_of(o) for name, o in outcomes.items() if not isinstance(o, Failed)}
            made = _made({**at_hand, **fresh}, failed, self.now)
        with exclusive(self.site.state_directory, self.site.lock_seconds):
            save_busy(self.site.state_directory, report.busy)
            save_mirrors(self.site.state_directory, report.mirrors)
            if made is None:
                raise ListError(tr("No list for the world index could be renewed. {why}", why=why))
            written = save_atlas(self.site.state_directory, made)
        incomplete = _incomplete(written.lists, written.failed, why)
        return _report(self.policy, written, (*self.notes, *incomplete))

    def _confirmed(self) -> dict[ListId, datetime]:
        """Return when the list of each country was last confirmed by its source, UTC."""
        found = {name: each.checked_at for name, each in self.fence.items()}
        for code, parts in (self.stored.lists if self.stored else {}).items():
            name = ListId(ListKind.COUNTRY, code)
            times = [part.checked_at for part in parts]
            if times and (name not in found or found[name] < min(times)):
                found[name] = min(times)
        return found

    def _at_hand(self) -> dict[ListId, AcceptedList]:
        """Return the lists of the index, or of the fence where those were confirmed later."""
        found = dict(self.fence)
        if self.stored is None:
            return found
        spaces, confirmed = self.stored.atlas.spaces(), self._confirmed()
        for code, parts in self.stored.lists.items():
            space = spaces.get(code, AddressSpace())
            mine = AcceptedList(ListId(ListKind.COUNTRY, code), space, parts)
            if parts and mine.checked_at == confirmed[mine.id]:
                found[mine.id] = mine
        return found


def _fetched(
    site: Site,
    policy: Policy,
    wanted: Collection[ListId],
    at_hand: Mapping[ListId, AcceptedList],
    watch: Watch,
) -> tuple[dict[ListId, Outcome], FetchReport]:
    """Fetch lists, as many at once as a refresh does; if the first few all fail, no others.

    Returns:
        The outcomes, and the report that has what is to be remembered.
    """
    from geofence.fetch.fetcher import fetch_lists  # requests takes long to import

    limits = Limits(body=site.patience, run=_RUN_SECONDS)

    def fetch(
        some: Iterable[ListId], busy: Mapping[str, datetime], mirrors: MirrorMemory
    ) -> FetchReport:
        return fetch_lists(
            some,
            policy,
            at_hand,
            lambda: datetime.now(UTC),
            watch,
            limits=limits,
            busy=busy,
            mirrors=mirrors,
        )

    names = tuple(wanted)
    directory = site.state_directory
    report = fetch(names[: limits.workers], load_busy(directory), load_mirrors(directory))
    outcomes = dict(report.outcomes)
    if not all(isinstance(outcome, Failed) for outcome in outcomes.values()):
        report = fetch(names[limits.workers :], report.busy, report.mirrors)
        outcomes |= report.outcomes
    return outcomes, report


def _list_of(outcome: Renewed | Unchanged | Fresh) -> AcceptedList:
    return outcome.candidate.accepted if isinstance(outcome, Renewed) else outcome.accepted


def _made(
    lists: Mapping[ListId, AcceptedList], failed: Collection[str], now: datetime
) -> StoredAtlas:
    spaces = {name.name: each.space for name, each in lists.items()}
    origins = {name.name: each.provenance for name, each in lists.items()}
    return StoredAtlas(make_atlas(spaces, now), origins, tuple(failed))


def _previous(site: Site) -> tuple[StoredAtlas | None, tuple[Note, ...]]:
    """Return the index on disk, and a note if there is one that cannot be used."""
    try:
        return load_atlas(site.state_directory), ()
    except StateError as error:
        cause = error.__cause__
        why = str(cause if isinstance(cause, RecordError) else error)
        return None, (Note(NoteKind.ATLAS_REPLACED, "", {"message": why}),)


def _all_countries() -> tuple[ListId, ...]:
    """Return the lists of all countries that have one."""
    return tuple(
        ListId(ListKind.COUNTRY, code)
        for code, each in countries().items()
        if each.ipv4 is not None
    )


def _incomplete(known: Collection[str], failed: Iterable[str], why: str = "") -> tuple[Note, ...]:
    """Return a note on the lists that could not be renewed, if there are any."""
    codes = sorted(failed)
    kept = [code for code in codes if code in known]
    missing = [code for code in codes if code not in known]
    if not codes:
        return ()
    facts = {"kept": kept, "missing": missing, "message": why}
    return (Note(NoteKind.ATLAS_INCOMPLETE, "", facts),)


def _report(policy: Policy, stored: StoredAtlas, notes: tuple[Note, ...]) -> AtlasReport:
    return AtlasReport(stored, policy.atlas_renew if policy.atlas_enabled else None, notes)


def _no_atlas() -> StateError:
    return StateError(tr("There is no world index yet. Run 'geofence atlas --renew'."))
