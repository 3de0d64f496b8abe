"""Hosts that asked to be left alone (429, or 503 with ``Retry-After``), shared by all workers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

MOST = timedelta(days=1)
"""No host is left alone for longer, whatever it asks for."""
_WITHOUT_A_TIME = timedelta(hours=1)
"""What a host asks for that does not say: about the rest of a run."""


def host_of(url: str) -> str:
    """Return what answers a URL: its host and port."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


class BusyHosts:
    """Which hosts are not to be asked, and until when; may be used from any thread."""

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
        """Take note that a host asks to be left alone.

        Args:
            url: what was asked for.
            seconds: for how long; None if it does not say.
        """
        host = host_of(url)
        wait = _WITHOUT_A_TIME if seconds is None else timedelta(seconds=min(seconds, 1e6))
        with self._lock:
            self._until[host] = datetime.now(UTC) + min(wait, MOST)
            (self._said.discard if seconds is None else self._said.add)(host)

    def is_busy(self, url: str) -> bool:
        """Whether a URL's host asked to be left alone, and the time is not over."""
        with self._lock:
            until = self._until.get(host_of(url))
        return until is not None and until > datetime.now(UTC)

    def until(self, url: str) -> datetime | None:
        """Until when a URL's host asked to be left alone, UTC; None if it did not say."""
        host = host_of(url)
        with self._lock:
            return self._until[host] if host in self._said else None

    @property
    def told(self) -> Mapping[str, datetime]:
        """Until when each host asked to be left alone that said so and still does, UTC."""
        now = datetime.now(UTC)
        with self._lock:
            return {host: self._until[host] for host in self._said if self._until[host] > now}
