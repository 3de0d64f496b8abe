"""HTTP by Python's own client, for the question that is asked each night: is the list unchanged?

requests takes four times as long to import. It is used for all that is not plain: the first
download of a list, proxies, credentials, and URLs that it would write otherwise. Both verify
certificates by the same context, and keep the same limits.
"""

from __future__ import annotations

import re
import select
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from geofence.fetch.failures import NoConnectionError, SilenceError
from geofence.fetch.transport import CHUNK, FIELDS

if TYPE_CHECKING:
    import ssl

    from geofence.fetch.certificates import Authorities
    from geofence.fetch.deadline import Cutoff
    from geofence.fetch.limits import Limits
    from geofence.fetch.urls import Target

_PLAIN = re.compile(
    r"https?://(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(?::[0-9]{1,5})?"
    r"(?:/(?!\.)[A-Za-z0-9_~!$&'()*+,;=:@.-]*)+"
)
"""URLs that every client sends as they are: without percent signs, queries, and dots to resolve."""
_PORTS = {"http": 80, "https": 443}


def is_plain(wanted: Target, environment: Mapping[str, str]) -> bool:
    """Whether a URL needs nothing that only requests knows.

    Args:
        wanted: the URL.
        environment: of the process. Any proxy in it is left to requests.
    """
    if wanted.credentials is not None or not _PLAIN.fullmatch(wanted.url):
        return False
    if wanted.loopback:
        return True
    return not any(value and name.lower().endswith("_proxy") for name, value in environment.items())


class _Connection(HTTPConnection):
    """A connection whose socket is watched (see ``deadline``)."""

    def __init__(
        self, host: str, port: int, limits: Limits, cutoff: Cutoff, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(host, port, timeout=limits.connect)
        self._silence, self._cutoff, self._tls = limits.read, cutoff, tls

    def connect(self) -> None:
        """Connect, with TLS if it is to be used.

        Raises:
            NoConnectionError: it takes too long.
        """
        try:
            super().connect()
        except TimeoutError as error:
            raise NoConnectionError from error
        self._cutoff.watch(self, self.sock)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)
        self.sock.settimeout(self._silence)

    @property
    def is_dropped(self) -> bool:
        """Whether the server has closed an idle connection, or sent what nobody asked for."""
        waiting = select.poll()
        waiting.register(self.sock, select.POLLIN)
        return bool(waiting.poll(0))


class Direct:
    """Direct connections, one a host; see ``Transport``."""

    foreign = (OSError, ValueError, HTTPException)

    def __init__(self, limits: Limits, cutoff: Cutoff) -> None:
        """Make no connection yet.

        Args:
            limits: of time.
            cutoff: watches its sockets.
        """
        self._limits, self._cutoff = limits, cutoff
        self._connections: dict[str, _Connection] = {}

    @contextmanager
    def open(
        self, wanted: Target, fields: Mapping[str, str], trusted: Authorities | None
    ) -> Iterator[_Answer]:
        """Send a GET request; see ``Transport``."""
        parts = urlsplit(wanted.url)
        connection = self._connection(parts, trusted)
        response: HTTPResponse | None = None
        try:
            connection.request("GET", parts.path, headers={**FIELDS, **fields})
            response = connection.getresponse()
            yield _Answer(response)
        except TimeoutError as error:
            if isinstance(error, NoConnectionError):
                raise
            raise SilenceError from error
        finally:
            if response is None or not response.isclosed():
                connection.close()

    def _connection(self, parts: SplitResult, trusted: Authorities | None) -> _Connection:
        """Return the connection to a host, new if there is none that can be used again."""
        place = f"{parts.scheme}://{parts.netloc}"
        known = self._connections.get(place)
        if known is None:
            port = parts.port or _PORTS[parts.scheme]
            tls = None if trusted is None else trusted.context
            known = _Connection(parts.hostname or "", port, self._limits, self._cutoff, tls)
            known.default_port = _PORTS[parts.scheme]
            self._connections[place] = known
        elif known.sock is not None and known.is_dropped:
            known.close()
        return known

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()


class _Answer:
    """See ``Response``."""

    def __init__(self, response: HTTPResponse) -> None:
        self._response = response
        self.status = response.status
        self.received = 0
        if response.length == 0:
            response.read()  # nothing: the connection can be used again

    def field(self, name: str) -> str:
        """Return a header field; empty if there is none."""
        return self._response.getheader(name, "")

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it is received, still compressed."""
        while chunk := self._response.read(CHUNK):
            self.received += len(chunk)
            yield chunk
