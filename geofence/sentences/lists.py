"""Sentences of notes on lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geofence.model.notes import Note, NoteKind

LIST_SENTENCES: Mapping[NoteKind, Callable[[Note], str]] = {}
