"""Exported files as a table, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from shlex import quote

from geofence.model.notes import Note
from geofence.operations.export import Export, ExportedFile, FileState
from geofence.screen import Screen
from geofence.sentences import note_json, sentence, sentences
from geofence.translation import english, tr

_APPLY = "kubectl apply --server-side --force-conflicts --field-manager=geofence"


def show_export(
    screen: Screen, found: Export, files: Sequence[ExportedFile], directory: Path
) -> None:
    """Print a row for each file, how to apply them, and what the engine cannot do."""
    if not files:
        screen.say(tr("No service is fenced, so there is no object to write."))
    else:
        rows = [(each.path.name, f"{each.size:,}", _state(each.state)) for each in files]
        screen.table((tr("file"), ">" + tr("bytes"), tr("state")), rows)
    show_notes(screen, found.notes)
    for line in _commands(files, directory):
        screen.say(line)


def show_notes(screen: Screen, notes: Iterable[Note]) -> None:
    """Print notes, none of which is part of the result."""
    for text in sentences(notes):
        screen.note(text, "yellow")


def export_json(found: Export, files: Sequence[ExportedFile], directory: Path) -> dict[str, object]:
    """Return the same for scripts."""
    return {
        "target": found.target.name,
        "kind": found.target.kind.value,
        "directory": str(directory),
        "files": [
            {"name": each.path.name, "bytes": each.size, "state": each.state.value}
            for each in files
        ],
        "notes": [english(sentence(note)) for note in found.notes],
        "note_facts": [note_json(note) for note in found.notes],
    }


def _commands(files: Sequence[ExportedFile], directory: Path) -> list[str]:
    """Return what to type next."""
    lines = []
    if any(each.state is not FileState.REMOVED for each in files):
        command = f"{_APPLY} -f {quote(str(directory))}"
        lines.append(tr("To apply them: {command}", command=command))
    if any(each.state is FileState.REMOVED for each in files):
        lines.append(
            tr(
                "Delete the objects of removed files, after that: they still allow what the fence "
                "no longer does."
            )
        )
    return lines


def _state(state: FileState) -> str:
    match state:
        case FileState.NEW:
            return tr("new")
        case FileState.CHANGED:
            return tr("changed")
        case FileState.UNCHANGED:
            return tr("unchanged")
    return tr("removed")
