"""Recognition of bodies by their first bytes: JSON, and what cannot be a list."""

from __future__ import annotations

from geofence.errors import ListError
from geofence.translation import tr

_HEAD = 1024
"""Bytes that are looked at."""
_BOM = b"\xef\xbb\xbf"
_BINARY_STARTS = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""gzip, zip, bzip2, xz and zstandard."""


def refuse_markup(body: bytes) -> None:
    """Refuse what cannot be a list of any format.

    Raises:
        ListError: the body is empty, or looks like an HTML page or binary data.
    """
    if not body.removeprefix(_BOM).strip():
        raise ListError(tr("The list is empty."))
    if _head(body).startswith(b"<"):
        raise ListError(tr("The source sent an HTML page instead of a list."))
    if body.startswith(_BINARY_STARTS) or b"\0" in body:
        raise ListError(tr("The source sent binary data instead of a list."))


def refuse_json(body: bytes) -> None:
    """Refuse JSON where text is expected.

    Raises:
        ListError: the body looks like JSON.
    """
    if looks_like_json(body):
        raise ListError(tr("The source sent JSON instead of a text list."))


def looks_like_json(body: bytes) -> bool:
    """Whether a body begins as a JSON object or array does."""
    return _head(body).startswith((b"{", b"["))


def _head(body: bytes) -> bytes:
    return body[:_HEAD].removeprefix(_BOM).lstrip()
