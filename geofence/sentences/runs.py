"""Sentences of notes on runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geofence.model.notes import Note, NoteKind

RUN_SENTENCES: Mapping[NoteKind, Callable[[Note], str]] = {}
