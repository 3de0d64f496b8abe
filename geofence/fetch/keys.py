"""Keys that sources ask for, each in a file of its own, so that rules and messages have none."""

from __future__ import annotations

import os
import re
import stat

from geofence.errors import ListError
from geofence.translation import tr

_MOST_BYTES = 4096
_KEY = re.compile(r"[A-Za-z0-9._~-]{8,200}")
"""Characters that a URL may have without an escape."""


def read_key(path: str) -> str:
    """Return the key in a file.

    Raises:
        ListError: there is none, or everybody can read it. No message has any part of the file.
    """
    try:
        content = _content(path)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ListError(
            tr("the key file {path} could not be read: {why}.", path=path, why=why)
        ) from error
    key = content.decode("ascii", errors="replace").strip()
    if not _KEY.fullmatch(key):
        raise ListError(
            tr(
                "the key file {path} does not have a key: 8 to 200 letters, digits, hyphens, dots "
                "or underscores in one line.",
                path=path,
            )
        )
    return key


def _content(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise ListError(tr("the key file {path} is not a regular file.", path=path))
        if mode & stat.S_IROTH:
            raise ListError(
                tr(
                    "the key file {path} can be read by everyone. Type 'chmod o-r {path}'.",
                    path=path,
                )
            )
        return file.read(_MOST_BYTES)
