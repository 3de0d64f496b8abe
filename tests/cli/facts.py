"""Facts that a command's JSON carries beside its sentences."""

from __future__ import annotations

from collections.abc import Mapping

from geofence.model.notes import NoteKind
from tests.cli.machine import Done


def kinds(done: Done) -> list[str]:
    """Return the kinds of all notes, in their order."""
    return [each["kind"] for each in done.json["note_facts"]]


def fact(done: Done, kind: NoteKind) -> tuple[str, Mapping[str, object]]:
    """Return subject and data of the one note of a kind."""
    [found] = [each for each in done.json["note_facts"] if each["kind"] == kind]
    return found["subject"], found["data"]


def states(done: Done) -> dict[str, str]:
    """Return what became of each list."""
    return {each["list"]: each["state"] for each in done.json["lists"]}


def problem_with(done: Done, name: str) -> str:
    """Return why a list could not be renewed."""
    [found] = [each for each in done.json["lists"] if each["list"] == name]
    return str(found["problem"])


def instead(done: Done) -> tuple[object, object]:
    """Return what holds without a saved fence, and the families that have no fence."""
    data = fact(done, NoteKind.NO_GENERATION)[1]
    return data["instead"], data["families"]
