"""Header fields and statuses of HTTP, read and written."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import requests
from requests.auth import HTTPBasicAuth

from geofence.fetch.urls import Target

_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"')


def authentication(
    wanted: Target,
) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return the URL's own credentials; never None, so that requests does not read .netrc."""
    if wanted.credentials is None:
        return _anonymous
    user, password = wanted.credentials
    return HTTPBasicAuth(user.encode(), password.encode())


def _anonymous(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def etag_of(response: requests.Response) -> str | None:
    """Return the ETag of a response; None if it has none that can be sent back."""
    given = response.headers.get("ETag", "")
    return given if _ETAG.fullmatch(given) else None


def status_text(status: int) -> str:
    """Return a status with its name, for messages."""
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)


def retry_after(text: str) -> float | None:
    """Return the seconds of ``Retry-After``: a number or a date (RFC 9110, 10.2.3)."""
    if text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for numbers that no date has
        return None
    zoned = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (zoned - datetime.now(UTC)).total_seconds())
