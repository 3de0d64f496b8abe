"""Notes on blocklists: what is left out of them, and the formats that were found out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from geofence.allowed.left_out import LeftOut, WhyLeftOut, left_out
from geofence.geoip.special_prefixes import special_in
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import Policy
from geofence.model.prefixes import Family
from geofence.operations.report import ListOutcome, ListReport

_NAMED = 5
"""Special-purpose blocks that one note names."""


def left_out_notes(policy: Policy, reports: Iterable[ListReport]) -> tuple[Note, ...]:
    """Return a note for each reason for which addresses of a blocklist are not blocked."""
    lists = {report.id: report.space for report in reports}
    return tuple(map(_note, left_out(policy, lists)))


def newly_left_out(policy: Policy, reports: Iterable[ListReport]) -> tuple[Note, ...]:
    """Return the same, for lists that were downloaded for the first time."""
    known = tuple(reports)
    first = {
        str(report.id)
        for report in known
        if report.outcome is ListOutcome.RENEWED and report.change is None
    }
    notes = left_out_notes(policy, known) if first else ()
    return tuple(note for note in notes if note.subject in first)


def _note(found: LeftOut) -> Note:
    blocks = [str(each) for each in special_in(found.space)]
    named = blocks if found.why is WhyLeftOut.SPECIAL else []
    facts = {
        "why": str(found.why),
        "addresses": {str(family): found.space[family].size for family in Family},
        "blocks": named[:_NAMED],
        "number": len(named),
    }
    return Note(NoteKind.BLOCKLIST_LEFT_OUT, str(found.list), facts)


def format_notes(policy: Policy, reports: Iterable[ListReport]) -> Iterator[Note]:
    """Yield a note for each blocklist whose format the rules do not give."""
    for report in reports:
        blocklist = policy.blocklist(report.id)
        formats = sorted({part.format for part in report.provenance if part.format})
        if blocklist is not None and blocklist.format is None and formats:
            yield Note(NoteKind.FORMAT_FOUND, str(report.id), {"format": " ".join(formats)})
