"""What sends a request and gives the answer, whoever implements HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from geofence import __version__

if TYPE_CHECKING:
    from geofence.fetch.certificates import Authorities
    from geofence.fetch.urls import Target

CHUNK = 16 << 10
"""Bytes of a body read at once."""

FIELDS: Mapping[str, str] = {
    "User-Agent": f"geofence/{__version__}",
    "Accept-Encoding": "gzip, deflate",
    "Accept": "*/*",
}
"""Header fields of each request."""


class Response(Protocol):
    """An answer, its body not yet read."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def received(self) -> int:
        """Bytes of the body so far, still compressed."""

    def field(self, name: str) -> str:
        """Return a header field; empty if there is none."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it is received, still compressed."""


class Transport(Protocol):
    """Connections of one worker, kept for later requests to the same host."""

    @property
    def foreign(self) -> tuple[type[Exception], ...]:
        """Return what it raises, as the libraries below it do."""

    def open(
        self, wanted: Target, fields: Mapping[str, str], trusted: Authorities | None
    ) -> AbstractContextManager[Response]:
        """Send a GET request.

        Args:
            wanted: the URL.
            fields: of the header, beside ``FIELDS``.
            trusted: for TLS; None for a URL without.
        """

    def close(self) -> None:
        """Close all connections."""
