"""Notes: facts that a report tells beside its main subject.

A note is not text. ``geofence.sentences`` turns it into a sentence for people; JSON carries both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class NoteKind(StrEnum):
    """What a note tells. The values are stable: scripts read them."""

    PROBLEM = "problem"
    """Something failed; ``data["message"]`` is the error's own sentence."""


@dataclass(frozen=True, slots=True)
class Note:
    """One fact."""

    kind: NoteKind
    subject: str = ""
    """What it is about: a list, an exception, a file, a service; empty for the whole fence."""
    data: Mapping[str, object] = field(default_factory=dict)
    """Values by name, as JSON has them: texts, numbers, lists of these."""


def problem(error: Exception | str, subject: str = "") -> Note:
    """Return the note that an error was passed over."""
    return Note(NoteKind.PROBLEM, subject, {"message": str(error)})
