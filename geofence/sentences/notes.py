"""The sentence of each kind of note."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from geofence.model.notes import Note, NoteKind
from geofence.sentences.atlas import ATLAS_SENTENCES
from geofence.sentences.by_hand import BY_HAND_SENTENCES
from geofence.sentences.following import FOLLOWING_SENTENCES
from geofence.sentences.lists import LIST_SENTENCES
from geofence.sentences.runs import RUN_SENTENCES
from geofence.sentences.setup import SETUP_SENTENCES
from geofence.translation import english


def _of_target(note: Note) -> str:
    # Not at the top: restore at boot has no targets.
    from geofence.sentences.targets import TARGET_SENTENCES

    return TARGET_SENTENCES[note.kind](note)


def _of_shield(note: Note) -> str:
    # Not at the top: restore at boot has nothing to say of the shield.
    from geofence.sentences.shield import SHIELD_SENTENCES

    return SHIELD_SENTENCES[note.kind](note)


_SHIELD_KINDS = (NoteKind.SHIELD_DROPS, NoteKind.SHIELD_SAMPLES)
_TARGET_KINDS = (
    NoteKind.TARGET_CANNOT,
    NoteKind.TARGET_UNLISTED,
    NoteKind.TARGET_UNREAD,
    NoteKind.TARGET_CHANGED,
    NoteKind.TARGET_NEVER_APPLIED,
    NoteKind.TARGET_FOREIGN,
    NoteKind.TARGET_VERDICTS_DIFFER,
)


SENTENCES: Mapping[NoteKind, Callable[[Note], str]] = {
    NoteKind.PROBLEM: lambda note: str(note.data["message"]),
    **LIST_SENTENCES,
    **RUN_SENTENCES,
    **ATLAS_SENTENCES,
    **BY_HAND_SENTENCES,
    **FOLLOWING_SENTENCES,
    **SETUP_SENTENCES,
    **dict.fromkeys(_SHIELD_KINDS, _of_shield),
    **dict.fromkeys(_TARGET_KINDS, _of_target),
}


def sentence(note: Note) -> str:
    """Return what a note tells, as one sentence or two."""
    return SENTENCES[note.kind](note)


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
