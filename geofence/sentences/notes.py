"""The sentence of each kind of note."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache

from geofence.translation import english

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.model.notes import Note, NoteKind


@cache
def every_sentence() -> Mapping[NoteKind, Callable[[Note], str]]:
    """Return what makes the sentence of each kind.

    Imported here: most runs, as ``restore`` at boot, have nothing to tell.
    """
    from geofence.model.notes import NoteKind
    from geofence.sentences.atlas import ATLAS_SENTENCES
    from geofence.sentences.by_hand import BY_HAND_SENTENCES
    from geofence.sentences.following import FOLLOWING_SENTENCES
    from geofence.sentences.lists import LIST_SENTENCES
    from geofence.sentences.runs import RUN_SENTENCES
    from geofence.sentences.setup import SETUP_SENTENCES
    from geofence.sentences.shield import SHIELD_SENTENCES
    from geofence.sentences.targets import TARGET_SENTENCES

    return {
        NoteKind.PROBLEM: lambda note: str(note.data["message"]),
        **LIST_SENTENCES,
        **RUN_SENTENCES,
        **ATLAS_SENTENCES,
        **BY_HAND_SENTENCES,
        **FOLLOWING_SENTENCES,
        **SETUP_SENTENCES,
        **SHIELD_SENTENCES,
        **TARGET_SENTENCES,
    }


def sentence(note: Note) -> str:
    """Return what a note tells, as one sentence or two."""
    return every_sentence()[note.kind](note)


def sentences(notes: Iterable[Note]) -> tuple[str, ...]:
    """Return the sentences of notes, in their order."""
    return tuple(map(sentence, notes))


def note_json(note: Note) -> dict[str, object]:
    """Return a note for scripts: its facts, and its sentence in English."""
    return {
        "kind": note.kind.value,
        "subject": note.subject,
        "data": dict(note.data),
        "text": english(sentence(note)),
    }
