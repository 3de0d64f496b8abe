"""Hosts that asked for a pause (429, or 503 with ``Retry-After``), shared by all workers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

MOST = timedelta(days=1)
"""The longest pause that a host is given, whatever it asks for."""
_WITHOUT_A_TIME = timedelta(hours=1)
"""The pause for a host that gives no time: about the rest of a run."""


def host_of(url: str) -> str:
    """Return the host and port of a URL."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


class BusyHosts:
    """Hosts that must not be asked, and until when; may be used from any thread."""

    def __init__(self, known: Mapping[str, datetime] | None = None) -> None:
        """Remember hosts.

        Args:
            known: those that asked an earlier run, and until when, UTC.
        """
        latest = datetime.now(UTC) + MOST
        self._lock = threading.Lock()
        self._until = {host: min(until, latest) for host, until in (known or {}).items()}
        self._said: set[str] = set(self._until)

    def note(self, url: str, seconds: float | None) -> None:
        """Note that a host asks for a pause.

        Args:
            url: what was asked for.
            seconds: how long a pause; None if it gives no time.
        """
        host = host_of(url)
        wait = _WITHOUT_A_TIME if seconds is None else timedelta(seconds=min(seconds, 1e6))
        with self._lock:
            self._until[host] = datetime.now(UTC) + min(wait, MOST)
            (self._said.discard if seconds is None else self._said.add)(host)

    def is_busy(self, url: str) -> bool:
        """Whether a URL's host asked for a pause that is not over."""
        with self._lock:
            until = self._until.get(host_of(url))
        return until is not None and until > datetime.now(UTC)

    def until(self, url: str) -> datetime | None:
        """Return until when a URL's host asked for a pause, UTC; None if it gave no time."""
        host = host_of(url)
        with self._lock:
            return self._until[host] if host in self._said else None

    @property
    def told(self) -> Mapping[str, datetime]:
        """Hosts that gave a time for their pause that is not over, and until when, UTC."""
        now = datetime.now(UTC)
        with self._lock:
            return {host: self._until[host] for host in self._said if self._until[host] > now}
