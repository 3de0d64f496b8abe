"""A grip on the sockets under an HTTP session, to end at a deadline what no time-out ends.

A time-out bounds the wait for the next octet. A server that sends one octet every few seconds, be
it of the TLS handshake, the header or the body, meets every time-out and never ends. So a second
descriptor of each connection is kept; shutting that down wakes whoever reads from the first.
"""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Any, ClassVar

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class Grip:
    """The open sockets of one session, which is used by one thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[tuple[HTTPConnection, socket.socket]] = []
        self._shut = False

    @property
    def is_shut(self) -> bool:
        """Whether connections were ended, so that what looks like the end of a body is none."""
        return self._shut

    def hold(self, connection: HTTPConnection, opened: socket.socket) -> None:
        """Take note of a connection's new socket."""
        with self._lock:
            self._held.append((connection, opened.dup()))
        if self._shut:
            self.shut()

    def shut(self) -> None:
        """End all connections, and those to come, at once; may be called from any thread."""
        with self._lock:
            self._shut = True
            for _, held in self._held:
                try:
                    held.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the other side was faster

    def open(self) -> None:
        """Let new connections live again."""
        self._shut = False

    def let_go(self, *, everything: bool = False) -> None:
        """Give up the grip on closed connections, or on all."""
        with self._lock:
            kept = []
            for connection, held in self._held:
                if everything or connection.sock is None:
                    held.close()
                else:
                    kept.append((connection, held))
            self._held = kept


class _HeldConnection(HTTPConnection):
    grip: ClassVar[Grip]

    def _new_conn(self) -> socket.socket:
        opened = super()._new_conn()
        self.grip.hold(self, opened)
        return opened


class _HeldTlsConnection(HTTPSConnection):
    grip: ClassVar[Grip]

    def _new_conn(self) -> socket.socket:
        opened = super()._new_conn()
        self.grip.hold(self, opened)
        return opened


def _pools(grip: Grip) -> dict[str, type[HTTPConnectionPool]]:
    """Connection pools, by scheme, that tell this grip of every socket."""
    plain = type("HeldConnection", (_HeldConnection,), {"grip": grip})
    tls = type("HeldTlsConnection", (_HeldTlsConnection,), {"grip": grip})
    return {
        "http": type("HeldPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("HeldTlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }


class GripAdapter(HTTPAdapter):
    """requests' adapter, its sockets in a grip; connections through a SOCKS proxy are not."""

    def __init__(self, grip: Grip, context: ssl.SSLContext | None = None) -> None:
        """Make an adapter.

        Args:
            grip: takes note of its sockets.
            context: for TLS; None for connections that have none.
        """
        self._pools = _pools(grip)
        self._tls: dict[str, Any] = {} if context is None else {"ssl_context": context}
        super().__init__(pool_connections=8, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        """Make the manager of direct connections."""
        super().init_poolmanager(*args, **(options | self._tls))
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:  # noqa: ANN401 - passed on
        """The manager of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **(options | self._tls))
        if proxy.lower().startswith("http"):
            manager.pool_classes_by_scheme = self._pools
        return manager
