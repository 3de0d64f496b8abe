"""A hard deadline for HTTP requests.

A time-out limits the wait for the next byte. A server that sends a byte every few seconds, in the
TLS handshake, the header or the body, meets every time-out and never ends. So a second descriptor
of each connection is kept; shutting it down wakes the thread that reads from the first.
"""

from __future__ import annotations

import socket
import threading
from typing import Protocol


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
