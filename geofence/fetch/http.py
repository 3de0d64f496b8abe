"""HTTP GET for an unattended fetcher of security-relevant lists.

requests or Python's own client implement the protocol (see ``session`` and ``direct``). This adds
distrust of servers that never finish, send too much, or redirect elsewhere; and patience with
temporary failures.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Self

from geofence.errors import ListError
from geofence.fetch.answers import (
    Answer,
    Body,
    Missing,
    NotModified,
    PauseError,
    Rejected,
    TemporaryError,
)
from geofence.fetch.backoff import BusyHosts
from geofence.fetch.certificates import Authorities, Trust
from geofence.fetch.deadline import Cutoff, Watchdog
from geofence.fetch.decoding import (
    ENCODINGS,
    DamagedError,
    Decoder,
    NotCompressedError,
)
from geofence.fetch.direct import Direct, is_plain
from geofence.fetch.events import ignore
from geofence.fetch.failures import Cause, root_cause
from geofence.fetch.headers import retry_after, status_text, usable_etag
from geofence.fetch.limits import Limits
from geofence.fetch.transport import Response, Transport
from geofence.fetch.urls import Target, redirected, target
from geofence.translation import clause, tr

if TYPE_CHECKING:
    from geofence.fetch.session import Session

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class Client:
    """One worker's HTTP client; must not be shared between threads."""

    def __init__(  # noqa: PLR0913 - what clients share, and their callbacks
        self,
        limits: Limits,
        stop: threading.Event | None = None,
        *,
        busy: BusyHosts | None = None,
        trust: Trust | None = None,
        on_bytes: Callable[[int], None] = ignore,
        on_retry: Callable[[str, float], None] = ignore,
    ) -> None:
        """Make a client.

        Args:
            limits: of time and size.
            stop: once set, waits end and bodies are abandoned.
            busy: hosts that asked for a pause, shared with other clients.
            trust: the trusted authorities, shared likewise.
            on_bytes: told the number of bytes of each piece of a body, decompressed.
            on_retry: told before each retry what failed (one clause without a period), and the
                number of seconds until the retry.
        """
        self._limits = limits
        self._stop = stop or threading.Event()
        self._busy = busy or BusyHosts()
        self._trust = trust or Trust()
        self._patient = True
        self._answers: Collection[int] = ()
        self._on_bytes = on_bytes
        self._on_retry = on_retry
        self._cutoff = Cutoff()
        self._watchdog = Watchdog(self._cutoff.end)
        self._direct = Direct(limits, self._cutoff)
        self._session: Session | None = None
        self._deadline = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.close()
        self._direct.close()
        if self._session is not None:
            self._session.close()
        self._cutoff.release(everything=True)

    @property
    def limits(self) -> Limits:
        """The limits of time and size."""
        return self._limits

    def get(
        self,
        url: str,
        etag: str | None = None,
        *,
        patient: bool = True,
        secret: str = "",
        answers: Collection[int] = (),
    ) -> Answer:
        """Fetch one body.

        Args:
            url: https, or http to loopback; may contain credentials.
            etag: of the stored body, if it came from this URL.
            patient: whether to wait if the host asks for a pause.
            secret: a part of the URL that no message may show.
            answers: statuses of failure that are ``Rejected``, and no error.

        Raises:
            PauseError: the host asks for a pause, and this does not wait.
            ListError: it could not be fetched; names the URL (without secrets) and the reason.
        """
        first = target(url, secret)
        self._patient = patient
        self._answers = answers
        self._deadline = time.monotonic() + self._limits.body
        self._cutoff.rearm()
        self._watchdog.arm(self._limits.body)
        try:
            return self._persist(first, etag)
        finally:
            self._watchdog.disarm()
            self._cutoff.release()

    def _persist(self, first: Target, etag: str | None) -> Answer:
        """Fetch, and retry after temporary failures, within the deadline."""
        for attempt in count():
            try:
                return self._follow(first, etag)
            except TemporaryError as failure:
                wait = self._backoff(attempt) if failure.wait is None else failure.wait
                late = time.monotonic() + wait >= self._deadline
                if late or attempt >= self._limits.retries or self._stop.is_set():
                    raise ListError(*failure.args) from failure
                self._on_retry(clause(str(failure)), wait)
            self._stop.wait(wait)
        raise AssertionError  # count() does not end

    def _backoff(self, attempt: int) -> float:
        from random import uniform  # most runs wait for nothing

        longest = self._limits.backoff * 2.0**attempt
        return longest * uniform(0.5, 1)  # noqa: S311 - spreads load, protects nothing

    def _follow(self, first: Target, etag: str | None) -> Answer:
        """Fetch, and follow redirects."""
        current = first
        for _ in range(self._limits.redirects + 1):
            self._respect(current)
            with self._response(current, etag) as response:
                if response.status not in _REDIRECTS:
                    return self._answer(current, response, etag)
                location = response.field("Location")
            current = redirected(current, location)
        raise ListError(
            tr(
                "{url}: more than {most} redirects.",
                url=first.shown,
                most=self._limits.redirects,
            )
        )

    def _respect(self, wanted: Target) -> None:
        """Wait if the host has asked for a pause.

        Raises:
            PauseError: this does not wait, or the pause is too long.
        """
        if not self._busy.is_busy(wanted.url):
            return
        shown, until = wanted.shown, self._busy.until(wanted.url)
        if not self._patient:
            raise PauseError(tr("{url}: not asked, because the host asked for a pause.", url=shown))
        wait = 0.0 if until is None else (until - datetime.now(UTC)).total_seconds()
        if wait > self._limits.retry_after or time.monotonic() + wait >= self._deadline:
            raise PauseError(_until(shown, until))
        self._stop.wait(max(0.0, wait))

    @contextmanager
    def _response(self, wanted: Target, etag: str | None) -> Iterator[Response]:
        """Open the response, its body not yet read; foreign errors become ListErrors."""
        fields = {} if etag is None else {"If-None-Match": etag}
        trusted = self._trusted(wanted) if wanted.url.startswith("https:") else None
        transport = self._transport(wanted, etag)
        try:
            with transport.open(wanted, fields, trusted) as response:
                yield response
        except transport.foreign as error:
            raise self._failure(wanted, root_cause(error, self._limits)) from error

    def _transport(self, wanted: Target, etag: str | None) -> Transport:
        """Return what asks whether a stored list is unchanged, or what downloads all others."""
        if etag is not None and is_plain(wanted, os.environ):
            return self._direct
        if self._session is None:
            from geofence.fetch.session import Session

            self._session = Session(self._limits, self._cutoff)
        return self._session

    def _trusted(self, wanted: Target) -> Authorities:
        """Return the trusted certificates.

        Raises:
            ListError: they cannot be read.
        """
        try:
            return self._trust.authorities()
        except ListError as error:
            raise ListError(
                tr("{url}: not asked: {reason}", url=wanted.shown, reason=error)
            ) from error

    def _failure(self, wanted: Target, cause: Cause) -> ListError:
        if self._cutoff.has_ended:
            return self._too_late(wanted.shown)
        kind = TemporaryError if cause.may_pass else ListError
        return kind(tr("{url}: {reason}.", url=wanted.shown, reason=cause.text))

    def _too_late(self, shown: str) -> ListError:
        return ListError(
            tr(
                "{url}: no complete answer within {seconds} seconds.",
                url=shown,
                seconds=f"{self._limits.body:g}",
            )
        )

    def _answer(self, current: Target, response: Response, etag: str | None) -> Answer:
        status = response.status
        shown = current.shown
        if status == HTTPStatus.OK:
            return Body(self._body(shown, response), usable_etag(response.field("ETag")))
        if status == HTTPStatus.NOT_MODIFIED and etag is not None:
            return NotModified()
        problem = tr("{url}: HTTP {status}.", url=shown, status=status_text(status))
        if status in self._answers:
            return Rejected(status, self._body(shown, response), problem)
        if status in _GONE:
            return Missing(problem)
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TemporaryError(problem, self._wait_asked_for(current, response))
        raise ListError(problem)

    def _wait_asked_for(self, current: Target, response: Response) -> float | None:
        """Return the pause that the host asks for, in seconds; None if it gives none.

        Raises:
            PauseError: this does not wait.
            ListError: the pause is too long.
        """
        shown, status = current.shown, status_text(response.status)
        seconds = retry_after(response.field("Retry-After"))
        if seconds is not None or response.status == HTTPStatus.TOO_MANY_REQUESTS:
            self._busy.note(current.url, seconds)
            if not self._patient:
                raise PauseError(tr("{url}: HTTP {status}.", url=shown, status=status))
        if seconds is not None and seconds > self._limits.retry_after:
            raise ListError(
                tr(
                    "{url}: HTTP {status}, and the host asks for a longer pause.",
                    url=shown,
                    status=status,
                )
            )
        return seconds

    def _body(self, shown: str, response: Response) -> bytes:
        """Read the whole body, decompressed."""
        encoding = response.field("Content-Encoding").strip().lower()
        if encoding not in ENCODINGS:
            raise ListError(
                tr("{url}: the body has a compression that was not requested.", url=shown)
            )
        body = bytearray()
        decoder = Decoder(encoding)
        try:
            for chunk in response.chunks():
                for piece in decoder.feed(chunk):
                    self._take(shown, body, piece)
        except NotCompressedError as error:
            raise ListError(
                tr(
                    "{url}: the body does not have the compression that its header gives.",
                    url=shown,
                )
            ) from error
        except DamagedError as error:
            raise TemporaryError(tr("{url}: the compressed body is damaged.", url=shown)) from error
        if self._cutoff.has_ended:
            raise self._too_late(shown)
        _require_length(shown, response)
        if not decoder.is_complete:
            raise _cut_short(shown)
        return bytes(body)

    def _take(self, shown: str, body: bytearray, piece: bytes) -> None:
        """Add a piece to a body, unless it becomes too large or the run has ended."""
        body += piece
        self._on_bytes(len(piece))
        if len(body) > self._limits.size:
            raise ListError(
                tr(
                    "{url}: more than {most} bytes; no list is so large.",
                    url=shown,
                    most=f"{self._limits.size:,}",
                )
            )
        if self._stop.is_set():
            raise ListError(tr("{url}: not finished before the run ended.", url=shown))


def _require_length(shown: str, response: Response) -> None:
    """Check the length against the header, which urllib3 before 2.0 does not.

    Raises:
        ListError: the body is shorter.
    """
    announced = response.field("Content-Length")
    if announced.isdecimal() and response.received < int(announced):
        raise _cut_short(shown)


def _cut_short(shown: str) -> ListError:
    return TemporaryError(
        tr("{url}: the connection ended before the body was complete.", url=shown)
    )


def _until(shown: str, until: datetime | None) -> str:
    """Return that a host was not asked, and until when it asked for a pause."""
    if until is None:
        return tr("{url}: not asked, because the host asked for a pause.", url=shown)
    return tr(
        "{url}: not asked, because the host asked for a pause until {time} UTC.",
        url=shown,
        time=f"{until:%Y-%m-%d %H:%M}",
    )
