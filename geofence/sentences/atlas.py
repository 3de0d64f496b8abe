"""Sentences of notes on the world index."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geofence.model.notes import Note, NoteKind
from geofence.sentences.lists import names, shown
from geofence.translation import join, tr, trn


def _not_renewed(note: Note) -> str:
    return tr(
        "The world index was not renewed. The fence does not depend on it. {reason}",
        reason=note.data["message"],
    )


def _incomplete(note: Note) -> str:
    kept, missing = names(note, "kept"), names(note, "missing")
    parts = [_kept(kept)] if kept else []
    parts += [_missing(missing)] if missing else []
    return join(" ", (*parts, *([str(note.data["message"])] if note.data["message"] else ())))


def _kept(codes: list[str]) -> str:
    return trn(
        len(codes),
        "In the world index {number} country has an earlier list, since it could not be renewed: "
        "{countries}.",
        "In the world index {number} countries have earlier lists, since these could not be "
        "renewed: {countries}.",
        countries=shown(codes),
    )


def _missing(codes: list[str]) -> str:
    return trn(
        len(codes),
        "The world index has no list of {number} country: {countries}.",
        "The world index has no list of {number} countries: {countries}.",
        countries=shown(codes),
    )


def _replaced(note: Note) -> str:
    return tr(
        "The previous world index could not be used and was made anew: {reason}",
        reason=note.data["message"],
    )


ATLAS_SENTENCES: Mapping[NoteKind, Callable[[Note], str]] = {
    NoteKind.ATLAS_NOT_RENEWED: _not_renewed,
    NoteKind.ATLAS_INCOMPLETE: _incomplete,
    NoteKind.ATLAS_REPLACED: _replaced,
}
