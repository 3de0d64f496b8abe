"""Checksums that a publisher puts beside a list, as ``sha256sum`` and ``sha512sum`` write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from geofence.errors import ListError
from geofence.fetch.urls import public
from geofence.translation import tr

_METHODS = {64: "sha256", 128: "sha512"}
"""By the number of hexadecimal digits."""
_HASH = "(?P<hash>[0-9A-Fa-f]{128}|[0-9A-Fa-f]{64})"
_LINE = _HASH + r"(?:[ \t]+\*?(?P<name>.+?))?[ \t\r]*"
_BSD = r"SHA(?:256|512) ?\((?P<name>.+)\) ?= ?" + _HASH + r"[ \t\r]*"
_STANDARD_INPUT = "-"
MOST_BYTES = 1 << 20
"""The largest file of checksums that is read: some ten thousand lines."""


def require_match(body: bytes, url: str, checksums: bytes, place: str) -> None:
    """Compare a body with the checksum that its publisher gives.

    Args:
        body: as received.
        url: the URL or path that it is from.
        checksums: what is at the checksum's URL.
        place: the checksum's URL or path.

    Raises:
        ListError: they differ, or there is no checksum of this body.
    """
    stated = _stated(checksums, _name(url))
    if stated is None:
        raise ListError(
            tr(
                "{place}: there is no SHA-256 or SHA-512 checksum of {name}.",
                place=public(place),
                name=_name(url),
            )
        )
    import hashlib  # takes a while; few lists have a checksum

    found = hashlib.new(_METHODS[len(stated)], body).hexdigest()
    if found != stated:
        raise ListError(
            tr(
                "{url}: the list does not match its checksum. Its hash is {found}…, but {place} "
                "says {stated}…",
                url=public(url),
                found=found[:16],
                stated=stated[:16],
                place=public(place),
            )
        )


def _stated(checksums: bytes, name: str) -> str | None:
    """Return the hash of the file of a name, in lower case; None if there is none.

    A hash without a name counts only if it is the only one.
    """
    known = tuple(_lines(checksums.decode("utf-8-sig", errors="replace")))
    named = [found for found, its_name in known if its_name == name]
    if named:
        return named[0] if len(set(named)) == 1 else None
    bare = [found for found, its_name in known if its_name in ("", _STANDARD_INPUT)]
    return bare[0] if len(known) == len(bare) == 1 else None


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield each hash, with the last part of the name of its file; empty without one."""
    for line in text.split("\n"):
        match = re.fullmatch(_LINE, line) or re.fullmatch(_BSD, line)
        if match:
            name = match["name"] or ""
            yield match["hash"].lower(), PurePosixPath(name).name if name else ""


def _name(url: str) -> str:
    """Return the last part of the path of a URL."""
    path = url if url.startswith("/") else unquote(urlsplit(url).path)
    return PurePosixPath(path).name
