"""Threads, which a system short of memory or processes may refuse."""

from __future__ import annotations

import threading

from geofence.errors import ListError


def start(thread: threading.Thread) -> None:
    """Start a thread.

    Raises:
        ListError: the system has none to give.
    """
    try:
        thread.start()
    except RuntimeError as error:
        raise ListError(
            "the system gives geofence no further thread; free some memory, or raise the limit of "
            "memory or tasks that geofence runs under."
        ) from error
