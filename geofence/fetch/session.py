"""HTTP by requests, with watched sockets (see ``deadline``).

It knows proxies, credentials and all forms of URLs, and takes a tenth of a second to import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from socket import socket
from typing import TYPE_CHECKING, Any, ClassVar

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests.exceptions import ChunkedEncodingError
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ProtocolError

from geofence.fetch.transport import CHUNK, FIELDS

if TYPE_CHECKING:
    from geofence.fetch.certificates import Authorities
    from geofence.fetch.deadline import Cutoff
    from geofence.fetch.limits import Limits
    from geofence.fetch.urls import Target

_NO_PROXIES = {"http": "", "https": "", "all": ""}


class _WatchedConnection(HTTPConnection):
    cutoff: ClassVar[Cutoff]

    def _new_conn(self) -> socket:
        opened = super()._new_conn()
        self.cutoff.watch(self, opened)
        return opened


class _WatchedTlsConnection(HTTPSConnection):
    cutoff: ClassVar[Cutoff]

    def _new_conn(self) -> socket:
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

    def __init__(self, cutoff: Cutoff, trusted: Authorities | None = None) -> None:
        """Make an adapter.

        Args:
            cutoff: watches its sockets.
            trusted: for TLS; None for connections without.
        """
        self._pools = _pools(cutoff)
        self._tls: dict[str, Any] = {} if trusted is None else {"ssl_context": trusted.context}
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


class Session:
    """A session of requests; see ``Transport``."""

    foreign = (OSError, ValueError, HTTPError, HTTPException)
    """requests' own exceptions are OSErrors."""

    def __init__(self, limits: Limits, cutoff: Cutoff) -> None:
        """Make a session.

        Args:
            limits: of time.
            cutoff: watches its sockets.
        """
        self._limits, self._cutoff = limits, cutoff
        self._session = requests.Session()
        self._session.headers.update(FIELDS)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.mount("http://", CutoffAdapter(cutoff))
        self._trusted: Authorities | None = None

    @contextmanager
    def open(
        self, wanted: Target, fields: Mapping[str, str], trusted: Authorities | None
    ) -> Iterator[_Answer]:
        """Send a GET request; see ``Transport``."""
        if trusted is not None and trusted is not self._trusted:
            self._session.verify = trusted.verify
            self._session.mount("https://", CutoffAdapter(self._cutoff, trusted))
            self._trusted = trusted
        with self._session.get(
            wanted.url,
            headers=dict(fields),
            auth=_authentication(wanted),
            proxies=dict(_NO_PROXIES) if wanted.loopback else None,
            timeout=(self._limits.connect, self._limits.read),
            allow_redirects=False,
            stream=True,
        ) as response:
            yield _Answer(response)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()


class _Answer:
    """See ``Response``."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self.status = response.status_code

    @property
    def received(self) -> int:
        """Bytes of the body so far, still compressed."""
        return int(self._response.raw.tell())

    def field(self, name: str) -> str:
        """Return a header field; empty if there is none."""
        return self._response.headers.get(name, "")

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it is received, still compressed.

        Raises:
            ChunkedEncodingError: it breaks off; ``iter_content`` would raise the same.
        """
        try:
            yield from self._response.raw.stream(CHUNK, decode_content=False)
        except ProtocolError as error:
            raise ChunkedEncodingError(error) from error


def _authentication(
    wanted: Target,
) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return the URL's own credentials; never None, so that requests does not read .netrc."""
    if wanted.credentials is None:
        return _anonymous
    user, password = wanted.credentials
    return HTTPBasicAuth(user.encode(), password.encode())


def _anonymous(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
