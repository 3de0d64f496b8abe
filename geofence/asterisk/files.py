"""What a reader of the configuration asks of a directory, and a directory in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Protocol

MOST_BYTES = 32 * 1024 * 1024
"""Of one file; a panel's file of 5,000 phones has 5 MiB."""


class Absent(StrEnum):
    """Why there is no content."""

    MISSING = "missing"
    """There is no such file, or it is no regular one: Asterisk does not find it either."""
    OUTSIDE = "outside"
    """It is out of the configuration directory, or behind a link that ends out of sight."""
    UNREADABLE = "unreadable"
    """Asterisk may read it; this process may not."""
    TOO_LARGE = "too-large"


class Files(Protocol):
    """Files by their path below the configuration directory: ``peers/10-trunk.conf``."""

    def content(self, path: str) -> bytes | Absent:
        """Return what a file holds, or why that is not known."""

    def listed(self, directory: str) -> Iterable[str]:
        """Return the names in a directory; the empty path is the configuration directory."""

    def inside(self, path: str) -> str | None:
        """Return where an absolute path of Asterisk's is below the directory; None if it is not."""


class InMemory:
    """Files that a mapping holds, for tests and for whoever has them already."""

    def __init__(self, contents: Mapping[str, bytes | str]) -> None:
        self._contents = {
            path: each.encode() if isinstance(each, str) else each
            for path, each in contents.items()
        }
        self._names: dict[str, set[str]] = {"": set()}
        for path in contents:
            parts = path.split("/")
            for depth, part in enumerate(parts):
                self._names.setdefault("/".join(parts[:depth]), set()).add(part)

    def content(self, path: str) -> bytes | Absent:
        """Return what a file holds."""
        found = self._contents.get(path, Absent.MISSING)
        if not isinstance(found, Absent) and len(found) > MOST_BYTES:
            return Absent.TOO_LARGE
        return found

    def listed(self, directory: str) -> Iterable[str]:
        """Return the names in a directory."""
        return self._names.get(directory, ())

    def inside(self, path: str) -> str | None:
        """Return the rest of a path below ``/etc/asterisk``."""
        return below(path, "/etc/asterisk")


def below(path: str, directory: str) -> str | None:
    """Return the rest of a path below a directory; empty for the directory itself."""
    if path == directory:
        return ""
    return path[len(directory) + 1 :] if path.startswith(f"{directory}/") else None
