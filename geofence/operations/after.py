"""What runs do beside, once the fence stands: keep counts, write metrics.

No failure of these is one of a run.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from geofence.errors import GeofenceError
from geofence.model.notes import Note, NoteKind
from geofence.operations.counts import keep_sources
from geofence.operations.site import Site

_OFTEN = 60.0
"""Seconds in which checks of the fence write metrics at most once."""


def after_check(site: Site) -> tuple[Note, ...]:
    """Keep counts and write metrics, unless that was done a short time ago."""
    return (*keep_sources(site), *write_metrics(site, unless_within=_OFTEN))


def write_metrics(site: Site, *, unless_within: float = 0.0) -> tuple[Note, ...]:
    """Write ``[metrics] textfile``, if the rules name one.

    Args:
        site: the installation.
        unless_within: seconds; a file that is younger is left as it is.
    """
    path: Path | None = None
    try:
        path = site.policy().metrics_textfile
        if path is None or _is_young(path, unless_within):
            return ()
        # Imported here: most installations have no exporter.
        from geofence.operations.metrics import metrics, write_textfile

        write_textfile(path, metrics(site))
    except GeofenceError as error:
        if path is None:  # the rules do not load, which the run itself tells
            return ()
        return (Note(NoteKind.METRICS_NOT_WRITTEN, str(path), {"message": str(error)}),)
    return ()


def _is_young(path: Path, seconds: float) -> bool:
    with suppress(OSError):
        return 0 <= time.time() - path.stat().st_mtime < seconds
    return False
