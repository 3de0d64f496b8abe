"""Files that belong to somebody else."""

from __future__ import annotations

import os
from pathlib import Path


def given_away(path: Path, otherwise: str) -> Path:
    """A path of somebody else: this one, or where none can be given away, one of the system's.

    In a user namespace that knows only this user, whatever is the real root's is somebody else's.
    """
    try:
        os.chown(path, 12345, 0)
    except OSError:
        return Path(otherwise)
    return path
