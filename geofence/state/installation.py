"""What tells this installation from others: a number in its state directory.

Another installation may have a target of the same name in the same cluster. Each would take the
other's objects for its own, and every run undo what the other has done.
"""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from pathlib import Path

from geofence.errors import StateError
from geofence.state.files import read_if_there, write_atomically

NAME = "installation"
_BYTES = 8
_KNOWN = re.compile(rb"[0-9a-f]{16}\n?")


def read_installation(state_directory: Path) -> str:
    """Return the number; empty if none was given yet."""
    with suppress(StateError):
        content = read_if_there(state_directory / NAME) or b""
        if _KNOWN.fullmatch(content):
            return content.decode().strip()
    return ""


def make_installation(state_directory: Path) -> None:
    """Give the installation its number, once.

    Raises:
        StateError: it could not be written.
    """
    if not read_installation(state_directory):
        content = f"{secrets.token_hex(_BYTES)}\n".encode()
        write_atomically(state_directory / NAME, content)
