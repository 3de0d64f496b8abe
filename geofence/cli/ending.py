"""How an error of geofence's own ends the command line: in its message and its exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from geofence.errors import GeofenceError


@contextmanager
def ending_in_message() -> Iterator[None]:
    """Print an error of geofence's own with its notes, and exit with its code."""
    try:
        yield
    except GeofenceError as error:
        for line in (f"geofence: {error}", *getattr(error, "__notes__", ())):
            sys.stderr.write(f"{line}\n")
        sys.exit(error.exit_code)
