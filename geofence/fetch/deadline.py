"""A hard deadline for HTTP requests.

A time-out limits the wait for the next byte. A server that sends a byte every few seconds, in the
TLS handshake, the header or the body, meets every time-out and never ends. So a second descriptor
of each connection is kept; shutting it down wakes the thread that reads from the first.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable
from typing import Protocol

from geofence.fetch.threads import start


class Connection(Protocol):
    """A connection of a library, as far as it matters here."""

    @property
    def sock(self) -> socket.socket | None:
        """The socket; None once it is closed."""


class Cutoff:
    """Ends all connections of one session, which is used by one thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: list[tuple[Connection, socket.socket]] = []
        self._ended = False

    @property
    def has_ended(self) -> bool:
        """Whether connections were ended, so that a body that ends is not complete."""
        return self._ended

    def watch(self, connection: Connection, opened: socket.socket) -> None:
        """Keep a second descriptor of a connection's new socket."""
        with self._lock:
            self._watched.append((connection, opened.dup()))
        if self._ended:
            self.end()

    def end(self) -> None:
        """End all connections at once, and new ones until ``rearm``; any thread may call this."""
        with self._lock:
            self._ended = True
            for _, second in self._watched:
                try:
                    second.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the server was faster

    def rearm(self) -> None:
        """Allow connections again, for the next request."""
        self._ended = False

    def release(self, *, everything: bool = False) -> None:
        """Close the second descriptors of closed connections, or of all."""
        with self._lock:
            kept = []
            for connection, second in self._watched:
                if everything or connection.sock is None:
                    second.close()
                else:
                    kept.append((connection, second))
            self._watched = kept


class Watchdog:
    """Calls for the end of requests that take too long: one thread for all of a client, in turn.

    The thread sleeps until the deadline of an early request is over, and then until that of the
    one that goes on. So a request that is in time costs no change of threads.
    """

    def __init__(self, end: Callable[[], None]) -> None:
        """Watch nothing yet.

        Args:
            end: called in the watchdog's thread when a request is too late; never once the request
                is disarmed.
        """
        self._end = end
        self._changed = threading.Condition()
        self._deadline: float | None = None
        self._wakes = 0.0
        """When the thread looks again by itself."""
        self._is_running = self._is_closed = False

    def arm(self, seconds: float) -> None:
        """Begin to watch a request.

        Raises:
            ListError: the system refuses to start the thread.
        """
        with self._changed:
            self._deadline = time.monotonic() + seconds
            if not self._is_running:
                start(threading.Thread(target=self._watch, name="watchdog", daemon=True))
                self._is_running = True
            elif self._deadline < self._wakes:
                self._changed.notify()

    def disarm(self) -> None:
        """End watching, as the request has ended."""
        with self._changed:
            self._deadline = None

    def close(self) -> None:
        """Let the thread end."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._is_closed:
                now = time.monotonic()
                if self._deadline is not None and self._deadline <= now:
                    self._deadline = None
                    self._end()
                self._wakes = math.inf if self._deadline is None else self._deadline
                self._changed.wait(None if self._deadline is None else self._deadline - now)
