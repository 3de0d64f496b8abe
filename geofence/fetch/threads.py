"""Start of threads, which a system short of memory or processes may refuse."""

from __future__ import annotations

import threading

from geofence.errors import ListError
from geofence.translation import tr


def start(thread: threading.Thread) -> None:
    """Start a thread.

    Raises:
        ListError: the system refuses to start one.
    """
    try:
        thread.start()
    except RuntimeError as error:
        raise ListError(
            tr(
                "the system refuses to start another thread; free some memory, or raise the limit "
                "of memory or tasks for geofence."
            )
        ) from error
