"""The path of the state directory, as the command line names it."""

from __future__ import annotations

import errno

from geofence.errors import UsageError
from geofence.lean import Path
from geofence.translation import tr


def state_path(path: Path) -> Path:
    """Return the path of a state directory, which need not exist yet.

    Raises:
        UsageError: no file system takes such a name.
    """
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            from geofence.spelling import quoted

            raise UsageError(
                tr(
                    "--state-dir: {path} cannot be a directory: {why}.",
                    path=quoted(str(path)),
                    why=error.strerror,
                )
            ) from error
    return path
