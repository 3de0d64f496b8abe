"""Header fields and statuses of HTTP, read and written."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"')


def usable_etag(given: str) -> str | None:
    """Return the ETag of a response; None if it has none that can be sent back."""
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
