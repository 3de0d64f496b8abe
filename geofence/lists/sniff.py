"""What a body that is no list at all looks like, so that the message can say it."""

from __future__ import annotations

from geofence.errors import ListError

_HEAD = 1024
_BINARY_STARTS = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""gzip, zip, bzip2, xz and zstandard."""


def refuse_markup(body: bytes) -> None:
    """Refuse what cannot be a list in any form.

    Raises:
        ListError: the body is empty, or looks like an HTML page or binary data.
    """
    head = body[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not body.strip():
        raise ListError("The list is empty.")
    if head.startswith(b"<"):
        raise ListError("What came looks like an HTML page, not like a list.")
    if body.startswith(_BINARY_STARTS) or b"\0" in body:
        raise ListError("What came looks like binary data, not like a list.")


def refuse_json(body: bytes) -> None:
    """Refuse JSON where text is expected.

    Raises:
        ListError: the body looks like JSON.
    """
    if body[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"[")):
        raise ListError("What came looks like JSON, not like a text list.")
