"""GET over HTTP as an unattended fetcher of security-relevant lists needs it.

requests does the protocol. What is added here is distrust: of servers that never end, answer more
than anybody wants, or lead elsewhere; and patience with those that fail in passing.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from itertools import count

import requests
from requests.auth import HTTPBasicAuth
from requests.exceptions import ChunkedEncodingError
from urllib3.exceptions import HTTPError, ProtocolError

from geofence import __version__
from geofence.errors import ListError
from geofence.fetch.backoff import BusyHosts
from geofence.fetch.certificates import Trust
from geofence.fetch.deadline import Grip, GripAdapter
from geofence.fetch.decoding import ENCODINGS, DamagedError, Decoder, NotCompressedError
from geofence.fetch.failures import Reason, reason
from geofence.fetch.limits import Limits
from geofence.fetch.threads import start
from geofence.fetch.urls import Target, public, redirected, target

_CHUNK = 16 << 10
"""Bytes read at once."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"')
_NO_PROXIES = {"http": "", "https": "", "all": ""}

_FOREIGN = (OSError, ValueError, HTTPError, HTTPException)
"""What requests, and what is below it, raise; requests' own exceptions are OSErrors."""


@dataclass(frozen=True, slots=True)
class Body:
    """200: the body, decompressed."""

    content: bytes
    etag: str | None


@dataclass(frozen=True, slots=True)
class NotModified:
    """304: the body still is the one with the ETag that was sent."""


@dataclass(frozen=True, slots=True)
class Missing:
    """404 or 410: there is no such body."""

    problem: str


Answer = Body | NotModified | Missing


class _PassingError(ListError):
    """A failure that may pass; ``wait`` is what the server asks for, in seconds."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class BusyError(ListError):
    """The host asks to be left alone; another mirror may give the list now."""


def _ignore_octets(_octets: int) -> None:
    """Nobody wants to know."""


def _ignore_retry(_why: str, _seconds: float) -> None:
    """Nobody wants to know."""


class Client(AbstractContextManager["Client"]):
    """One worker's HTTP client; not to be shared between threads."""

    def __init__(  # noqa: PLR0913 - what clients share, and whom they tell
        self,
        limits: Limits,
        stop: threading.Event | None = None,
        *,
        busy: BusyHosts | None = None,
        trust: Trust | None = None,
        on_octets: Callable[[int], None] = _ignore_octets,
        on_retry: Callable[[str, float], None] = _ignore_retry,
    ) -> None:
        """Make a client.

        Args:
            limits: what it puts up with.
            stop: once set, waits end and bodies are given up.
            busy: hosts that asked to be left alone, shared with other clients.
            trust: whose certificates are trusted, shared likewise.
            on_octets: told the number of octets of each piece of a body, decompressed.
            on_retry: told before each retry what failed, and after how many seconds it is retried.
        """
        self._limits = limits
        self._stop = stop or threading.Event()
        self._busy = busy or BusyHosts()
        self._trust = trust or Trust()
        self._patient = True
        self._on_octets = on_octets
        self._on_retry = on_retry
        self._grip = Grip()
        self._session = _session(self._grip)
        self._speaks_tls = False
        self._deadline = 0.0

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._session.close()
        self._grip.let_go(everything=True)

    def get(self, url: str, etag: str | None = None, *, patient: bool = True) -> Answer:
        """Fetch one body.

        Args:
            url: https, or http to the loopback; may hold credentials.
            etag: of the body at hand, if it came from this very URL.
            patient: whether to wait where the host asks to be left alone for a while.

        Raises:
            BusyError: the host asks to be left alone, and this is not patient.
            ListError: it could not be had; names the URL (without secrets) and why.
        """
        first = target(url)
        self._patient = patient
        self._deadline = time.monotonic() + self._limits.body
        self._grip.open()
        watchdog = threading.Timer(self._limits.body, self._grip.shut)
        watchdog.daemon = True
        start(watchdog)
        try:
            return self._persist(first, etag)
        finally:
            watchdog.cancel()
            watchdog.join()
            self._grip.let_go()

    def _persist(self, first: Target, etag: str | None) -> Answer:
        """Fetch, and retry what may pass, within the deadline."""
        for attempt in count():
            try:
                return self._follow(first, etag)
            except _PassingError as failure:
                wait = self._backoff(attempt) if failure.wait is None else failure.wait
                late = time.monotonic() + wait >= self._deadline
                if late or attempt >= self._limits.retries or self._stop.is_set():
                    raise ListError(str(failure)) from failure
                self._on_retry(str(failure), wait)
            self._stop.wait(wait)
        raise AssertionError  # count() does not end

    def _backoff(self, attempt: int) -> float:
        longest = self._limits.backoff * 2.0**attempt
        return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing

    def _follow(self, first: Target, etag: str | None) -> Answer:
        """Fetch, and follow redirects."""
        current = first
        for _ in range(self._limits.redirects + 1):
            self._respect(current)
            with self._response(current, etag) as response:
                if response.status_code not in _REDIRECTS:
                    return self._answer(current, response, etag)
                location = response.headers.get("Location", "")
            current = redirected(current, location)
        raise ListError(f"{public(first.url)} redirects more than {self._limits.redirects} times.")

    def _respect(self, wanted: Target) -> None:
        """Leave a host alone that asked for it.

        Raises:
            BusyError: it is not patient, or it would be too long to wait.
        """
        if not self._busy.is_busy(wanted.url):
            return
        shown, until = public(wanted.url), self._busy.until(wanted.url)
        if not self._patient:
            raise BusyError(f"{shown} was not asked, for its host asks to be left alone.")
        wait = 0.0 if until is None else (until - datetime.now(UTC)).total_seconds()
        if wait > self._limits.retry_after or time.monotonic() + wait >= self._deadline:
            raise BusyError(
                f"{shown} was not asked, for its host asks to be left alone until "
                f"{until:%Y-%m-%d %H:%M} UTC."
            )
        self._stop.wait(max(0.0, wait))

    @contextmanager
    def _response(self, wanted: Target, etag: str | None) -> Iterator[requests.Response]:
        """The response, its body not yet read; foreign errors become ListErrors meanwhile."""
        headers = {} if etag is None else {"If-None-Match": etag}
        if wanted.url.startswith("https:"):
            self._learn_tls(wanted)
        try:
            with self._session.get(
                wanted.url,
                headers=headers,
                auth=_authentication(wanted),
                proxies=dict(_NO_PROXIES) if wanted.loopback else None,
                timeout=(self._limits.connect, self._limits.read),
                allow_redirects=False,
                stream=True,
            ) as response:
                yield response
        except _FOREIGN as error:
            raise self._failure(wanted, reason(error, self._limits)) from error

    def _learn_tls(self, wanted: Target) -> None:
        """Read the trusted certificates, which takes a while, once they are needed.

        Raises:
            ListError: they cannot be read.
        """
        if self._speaks_tls:
            return
        try:
            trusted = self._trust.authorities()
        except ListError as error:
            raise ListError(f"{public(wanted.url)} was not asked: {error}") from error
        self._session.verify = trusted.verify
        self._session.mount("https://", GripAdapter(self._grip, trusted.context))
        self._speaks_tls = True

    def _failure(self, wanted: Target, why: Reason) -> ListError:
        if self._grip.is_shut:
            return self._too_late(public(wanted.url))
        kind = _PassingError if why.may_pass else ListError
        return kind(f"{public(wanted.url)} {why.text}.")

    def _too_late(self, shown: str) -> ListError:
        return ListError(f"{shown} gave no complete answer within {self._limits.body:g} seconds.")

    def _answer(self, current: Target, response: requests.Response, etag: str | None) -> Answer:
        status = response.status_code
        shown = public(current.url)
        if status == HTTPStatus.OK:
            return Body(self._body(shown, response), _etag(response))
        if status == HTTPStatus.NOT_MODIFIED and etag is not None:
            return NotModified()
        problem = f"{shown} answered {_status_text(status)}."
        if status in _GONE:
            return Missing(problem)
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _PassingError(problem, self._wait_asked_for(current, response))
        raise ListError(problem)

    def _wait_asked_for(self, current: Target, response: requests.Response) -> float | None:
        """How long the host asks to be left alone, in seconds; None if it does not say.

        Raises:
            BusyError: it is not patient.
            ListError: that is too long.
        """
        shown = public(current.url)
        seconds = _retry_after(response.headers.get("Retry-After", ""))
        if seconds is not None or response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            self._busy.note(current.url, seconds)
            if not self._patient:
                raise BusyError(f"{shown} answered {_status_text(response.status_code)}.")
        if seconds is not None and seconds > self._limits.retry_after:
            status = _status_text(response.status_code)
            raise ListError(f"{shown} answered {status} and asks to be left alone for longer.")
        return seconds

    def _body(self, shown: str, response: requests.Response) -> bytes:
        """The whole body, decompressed."""
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ENCODINGS:
            raise ListError(f"{shown} sends a body in an encoding that was not asked for.")
        body = bytearray()
        decoder = Decoder(encoding)
        try:
            for chunk in _chunks(response):
                for piece in decoder.feed(chunk):
                    self._take(shown, body, piece)
        except NotCompressedError as error:
            raise ListError(f"{shown} sends a body that is not compressed as it says.") from error
        except DamagedError as error:
            raise _PassingError(f"{shown} sends a compressed body that is damaged.") from error
        if self._grip.is_shut:
            raise self._too_late(shown)
        _require_length(shown, response)
        if not decoder.is_complete:
            raise _PassingError(f"{shown} ended before the body was complete.")
        return bytes(body)

    def _take(self, shown: str, body: bytearray, piece: bytes) -> None:
        """Add a piece to a body, unless that becomes too large or the run has ended."""
        body += piece
        self._on_octets(len(piece))
        if len(body) > self._limits.octets:
            raise ListError(
                f"{shown} sends more than {self._limits.octets:,} octets; no list is so large."
            )
        if self._stop.is_set():
            raise ListError(f"{shown} was given up, for the run ended.")


def _chunks(response: requests.Response) -> Iterator[bytes]:
    """The body as it comes, still compressed.

    Raises:
        ChunkedEncodingError: it breaks off, as ``iter_content`` would say it.
    """
    try:
        yield from response.raw.stream(_CHUNK, decode_content=False)
    except ProtocolError as error:
        raise ChunkedEncodingError(error) from error


def _session(grip: Grip) -> requests.Session:
    session = requests.Session()
    session.headers["User-Agent"] = f"geofence/{__version__}"
    session.headers["Accept-Encoding"] = "gzip, deflate"
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("http://", GripAdapter(grip))
    return session


def _authentication(
    wanted: Target,
) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """The URL's own credentials or none: that something is given keeps .netrc out of it."""
    if wanted.credentials is None:
        return _anonymous
    user, password = wanted.credentials
    return HTTPBasicAuth(user.encode(), password.encode())


def _anonymous(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _etag(response: requests.Response) -> str | None:
    given = response.headers.get("ETag", "")
    return given if _ETAG.fullmatch(given) else None


def _require_length(shown: str, response: requests.Response) -> None:
    """See that as much came as was announced; urllib3 before 2.0 does not.

    Raises:
        ListError: the body is shorter.
    """
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and response.raw.tell() < int(announced):
        raise _PassingError(f"{shown} ended before the body was complete.")


def _status_text(status: int) -> str:
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)


def _retry_after(text: str) -> float | None:
    """Seconds; ``Retry-After`` gives seconds or a date (RFC 9110, 10.2.3)."""
    if text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for numbers that no date has
        return None
    zoned = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (zoned - datetime.now(UTC)).total_seconds())
