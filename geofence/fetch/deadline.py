"""A hard deadline for HTTP requests.

A time-out limits the wait for the next byte. A server that sends a byte every few seconds, in the
TLS handshake, the header or the body, meets every time-out and never ends. So a second descriptor
of each connection is kept; shutting it down wakes the thread that reads from the first.
"""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Any, ClassVar

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class Cutoff:
    """Ends all connections of one session, which is used by one thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: list[tuple[HTTPConnection, socket.socket]] = []
        self._ended = False

    @property
    def has_ended(self) -> bool:
        """Whether connections were ended, so that a body that ends is not complete."""
        return self._ended

    def watch(self, connection: HTTPConnection, opened: socket.socket) -> None:
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


class _WatchedConnection(HTTPConnection):
    cutoff: ClassVar[Cutoff]

    def _new_conn(self) -> socket.socket:
        opened = super()._new_conn()
        self.cutoff.watch(self, opened)
        return opened


class _WatchedTlsConnection(HTTPSConnection):
    cutoff: ClassVar[Cutoff]

    def _new_conn(self) -> socket.socket:
        opened = super()._new_conn()
        self.cutoff.watch(self, opened)
        return opened


def _pools(cutoff: Cutoff) -> dict[str, type[HTTPConnectionPool]]:
    """Return connection pools, by scheme, whose sockets are all watched."""
    plain = type("WatchedConnection", (_WatchedConnection,), {"cutoff": cutoff})
    tls = type("WatchedTlsConnection", (_WatchedTlsConnection,), {"cutoff": cutoff})
    return {
        "http": type("WatchedPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("WatchedTlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }


class CutoffAdapter(HTTPAdapter):
    """requests' adapter with watched sockets, except for those of a SOCKS proxy."""

    def __init__(self, cutoff: Cutoff, context: ssl.SSLContext | None = None) -> None:
        """Make an adapter.

        Args:
            cutoff: watches its sockets.
            context: for TLS; None for connections without.
        """
        self._pools = _pools(cutoff)
        self._tls: dict[str, Any] = {} if context is None else {"ssl_context": context}
        super().__init__(pool_connections=8, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        """Make the manager of direct connections."""
        super().init_poolmanager(*args, **(options | self._tls))
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:  # noqa: ANN401 - passed on
        """Return the manager of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **(options | self._tls))
        if proxy.lower().startswith("http"):
            manager.pool_classes_by_scheme = self._pools
        return manager
