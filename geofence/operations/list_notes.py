"""Notes on new versions of lists, and on lists that no longer change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from geofence.geoip.countries import known_size
from geofence.lists.parsed import Candidate
from geofence.model.changes import SpaceChange
from geofence.model.lists import ListId, ListKind
from geofence.model.notes import Note, NoteKind
from geofence.model.prefixes import AddressSpace, Family, address_texts
from geofence.operations.site import Site
from geofence.sentences import sentence
from geofence.state.versions import History
from geofence.translation import english

_NAMED = 5
"""Lines that one note names."""
_UNCHANGING = ((1 << 24, timedelta(days=30)), (1 << 20, timedelta(days=120)))
"""From this many IPv4 addresses on, a country's list hardly ever stays the same for so long."""


def list_notes(
    candidate: Candidate, change: SpaceChange | None, history: History
) -> Iterator[Note]:
    """Yield a note for each oddity of a new version that is accepted.

    Args:
        candidate: the new version.
        change: from the version before it; None for the first.
        history: the accepted versions so far.
    """
    name, space = candidate.accepted.id, candidate.accepted.space
    if any(candidate.parsed.repeated(family) for family in Family):
        yield Note(NoteKind.LIST_REPEATS, str(name))
    if candidate.parsed.skipped:
        yield _skipped(candidate)
    if name.kind.is_from_dns:
        yield from _host_changed(candidate, change)
    else:
        yield from _went_back(name, space, history)


def _host_changed(candidate: Candidate, change: SpaceChange | None) -> Iterator[Note]:
    """Yield a note on the addresses of a name that came and went; nothing for its first ones."""
    accepted = candidate.accepted
    if not change:
        return
    dropped = [each.address for part in accepted.provenance for each in part.dropped]
    facts = {
        "added": address_texts(change.gained),
        "removed": address_texts(change.lost),
        "dropped": dropped,
    }
    yield Note(NoteKind.HOST_CHANGED, accepted.id.name, facts)


def log_names(site: Site, command: str, notes: Iterable[Note], generation: int | None) -> None:
    """Log the names whose addresses changed to the system log."""
    for note in notes:
        if note.kind is NoteKind.HOST_CHANGED:
            site.log_change(command, english(sentence(note)).removesuffix("."), generation)


def _skipped(candidate: Candidate) -> Note:
    skipped = candidate.parsed.skipped
    lines = [str(each) for each in skipped[:_NAMED]]
    facts = {"number": len(skipped), "lines": lines}
    return Note(NoteKind.LIST_LINES_SKIPPED, str(candidate.accepted.id), facts)


def _went_back(name: ListId, space: AddressSpace, history: History) -> Iterator[Note]:
    """Yield a note on a version that was replaced before: an outdated mirror, or a replay."""
    known = history.version_of(space)
    if known is not None and known is not history.latest:
        since = known.first_accepted_at.isoformat()
        yield Note(NoteKind.LIST_WENT_BACK, str(name), {"since": since})


def unchanging_notes(histories: Mapping[ListId, History]) -> tuple[Note, ...]:
    """Return a note for each country's list that stays the same for longer than such lists do.

    Its source may confirm it daily although its publisher has stopped.

    Args:
        histories: of the lists that are in force.
    """
    return tuple(
        Note(
            NoteKind.LIST_UNCHANGING,
            str(name),
            {"since": history.latest.accepted_at.isoformat(), "days": limit.days},
        )
        for name, history in histories.items()
        for limit in _limits(name)
        if history.latest and history.latest.confirmed_at - history.latest.accepted_at > limit
    )


def _limits(name: ListId) -> Iterable[timedelta]:
    """Return how long a list stays the same at most; nothing for a list that may never change."""
    if name.kind is not ListKind.COUNTRY:
        return ()
    known = known_size(name.name, Family.IPV4) or 0
    return tuple(limit for least, limit in _UNCHANGING if known >= least)[:1]
