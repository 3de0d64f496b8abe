"""Lock of a state directory: one run at a time.

The lock is a ``flock`` on the state directory itself: it ends with the process that holds it, so a
stale lock cannot exist, and it needs no write permission, so ``restore`` can hold it on a
read-only disk.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from geofence.errors import BusyError, LockError, StateError
from geofence.lean import Path
from geofence.translation import tr

_POLL_SECONDS = 0.05


@contextmanager
def exclusive(directory: Path, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of a state directory for the length of the block.

    Args:
        directory: the state directory; it must exist.
        wait_seconds: how long to wait for another run to end.

    Raises:
        BusyError: another run still holds the lock after that time.
        LockError: the directory cannot be locked.
        StateError: the directory cannot be opened.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StateError(
            tr(
                "The state directory {directory} cannot be opened: {why}.",
                directory=directory,
                why=error.strerror,
            )
        ) from error
    try:
        _acquire(descriptor, directory, wait_seconds)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, directory: Path, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise BusyError(
                    tr(
                        "Another geofence process is using {directory}. Gave up after {seconds} "
                        "seconds. Try again when it has finished.",
                        directory=directory,
                        seconds=f"{wait_seconds:g}",
                    )
                ) from error
            time.sleep(_POLL_SECONDS)
        except OSError as error:
            raise LockError(
                tr(
                    "{directory} cannot be locked: {why}. Put it on a local file system, or "
                    "choose another directory (--state-dir).",
                    directory=directory,
                    why=error.strerror,
                )
            ) from error
        else:
            return
