"""What became of a mailed report."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from geofence.errors import ExitCode
from geofence.model.notes import Note
from geofence.screen import Screen
from geofence.sentences import sentences
from geofence.translation import tr


def finish_mail(screen: Screen, failures: Sequence[Note]) -> None:
    """Say that the report was sent, or why not, with the exit code."""
    for line in sentences(failures):
        screen.note(line, "red")
    if failures:
        raise typer.Exit(ExitCode.FAILED)
    screen.say(tr("The report was sent."))
