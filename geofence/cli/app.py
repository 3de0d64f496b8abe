"""The command line, with all its verbs."""

from __future__ import annotations

import sys

from geofence.cli.root import app
from geofence.cli.verbs import daily, exceptions, history, service, trial
from geofence.errors import GeofenceError

__all__ = ["PANELS", "app", "main"]

PANELS = (daily, exceptions, history, service, trial)
"""Modules of verbs, each a panel of the help; their names sort in the order of the help."""


def main() -> None:
    """Run the command line; an error of geofence's own ends in its message and its exit code."""
    try:
        app()
    except GeofenceError as error:
        for line in (f"geofence: {error}", *getattr(error, "__notes__", ())):
            sys.stderr.write(f"{line}\n")
        sys.exit(error.exit_code)
