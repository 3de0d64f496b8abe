"""Services that begin or cease to be only observed."""

from __future__ import annotations

from geofence.model.notes import Note, NoteKind
from geofence.model.ruleset import Ruleset


def observing_changes(before: Ruleset | None, after: Ruleset) -> tuple[Note, ...]:
    """Return a note for each service that a change opens in order to observe it, or fences again.

    Args:
        before: the ruleset that was applied last; None for none.
        after: the desired one.
    """
    former = before.observed if before else ()
    fenced = {service.name for service in after.services} - set(after.observed)
    return (
        *(Note(NoteKind.OBSERVING_BEGINS, each) for each in after.observed if each not in former),
        *(Note(NoteKind.OBSERVING_ENDS, each) for each in former if each in fenced),
    )
