"""Mark that the fence was removed on purpose, so that it is not repaired before the next boot."""

from __future__ import annotations

from contextlib import suppress

from geofence.errors import StateError
from geofence.host.boot import boot_id
from geofence.lean import Path
from geofence.state.files import read_if_there, write_atomically

_NAME = "removed"


def note_removal(state_directory: Path) -> None:
    """Record that the fence was removed; do without the mark if the disk cannot be written."""
    with suppress(StateError):
        write_atomically(state_directory / _NAME, boot_id().encode())


def is_removed(state_directory: Path) -> bool:
    """Whether the fence was removed since the boot and not restored."""
    with suppress(StateError):
        mark = read_if_there(state_directory / _NAME)
        return mark is not None and mark.strip() == boot_id().encode()
    return False


def forget_removal(state_directory: Path) -> None:
    """Record that the fence is wanted again."""
    with suppress(OSError):  # on a read-only disk there is no mark
        (state_directory / _NAME).unlink(missing_ok=True)
