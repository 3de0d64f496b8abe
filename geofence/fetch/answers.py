"""What a source of a list answers."""

from __future__ import annotations

from geofence.errors import ListError
from geofence.model.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Body:
    """200: the body, decompressed."""

    content: bytes
    etag: str | None


@dataclass(frozen=True, slots=True)
class NotModified:
    """304: the body is still the one with the ETag that was sent."""


@dataclass(frozen=True, slots=True)
class Missing:
    """404 or 410: there is no such body."""

    problem: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A status of failure that the caller takes as an answer, with what it says."""

    status: int
    content: bytes
    problem: str


Answer = Body | NotModified | Missing | Rejected


class TemporaryError(ListError):
    """A temporary failure; ``wait`` is the pause that the server asks for, in seconds."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class PauseError(ListError):
    """The host asks for a pause; another mirror may have the list now."""
