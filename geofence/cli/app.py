"""The command line, with all its verbs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from geofence.cli.ending import ending_in_message
from geofence.cli.root import app
from geofence.cli.verbs import (
    asterisk,
    bans,
    catalog,
    daily,
    denied,
    doctor,
    exceptions,
    export,
    glance,
    history,
    service,
    setup,
    trial,
)

__all__ = ["PANELS", "app", "main"]

PANELS = (
    setup,
    daily,
    denied,
    doctor,
    export,
    glance,
    exceptions,
    catalog,
    bans,
    history,
    asterisk,
    service,
    trial,
)
"""Modules of verbs, each a panel of the help; their names sort in the order of the help."""


_FLAGS = ("--help", "-h", "--version", "--install-completion", "--show-completion")
"""Options before the verb that take no value."""


def main() -> None:
    """Run the command line; an error of geofence's own ends in its message and its exit code."""
    _leave_out_others(verb_in(sys.argv[1:]))
    with ending_in_message():
        app()


def verb_in(arguments: Sequence[str]) -> str:
    """Return the word where the verb stands; empty if there is none, or a flag comes first."""
    remaining = iter(arguments)
    for each in remaining:
        if each in _FLAGS:
            return ""
        if not each.startswith("-"):
            return each
        if "=" not in each:
            next(remaining, None)  # its value
    return ""


def _leave_out_others(verb: str) -> None:
    """Have typer build one verb: all of them take it ten milliseconds, at each start."""
    wanted = [
        command
        for command in app.registered_commands
        if command.callback and command.callback.__name__.replace("_", "-") == verb
    ]
    if wanted:
        app.registered_commands[:] = wanted
