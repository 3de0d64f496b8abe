"""Limits of time and size for fetching."""

from __future__ import annotations

from geofence.model.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a run; all times in seconds. Tests shrink them."""

    connect: float = 10.0
    """For a connection, and for each step of its TLS handshake."""
    read: float = 20.0
    """Without a single byte from a server that should answer."""
    body: float = 120.0
    """For one URL: all redirects, retries and waits together, however steadily bytes arrive."""
    size: int = 64 << 20
    """Bytes of one body, after decompression. The largest known list, the US, has a million."""
    redirects: int = 5
    """Followed for one URL."""
    retries: int = 3
    """After the first attempt at one URL failed temporarily."""
    backoff: float = 0.5
    """Before the first retry; doubles with each, less a random part of up to half, so that many
    hosts do not retry at the same moment."""
    retry_after: float = 30.0
    """The longest ``Retry-After`` that is waited for; a longer one ends the attempts."""
    resolve: float = 15.0
    """For the addresses of one host name."""
    workers: int = 8
    """Lists fetched at once."""
    run: float = 900.0
    """For all lists together; those that are not fetched by then have failed."""
