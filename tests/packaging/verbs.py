"""The verbs that the help shows, as the command line has them now."""

from __future__ import annotations

from typing import cast

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from geofence.cli.app import app

COMMAND = cast("TyperGroup", get_command(app))
VERBS = {
    name: cast("TyperCommand", verb) for name, verb in COMMAND.commands.items() if not verb.hidden
}
