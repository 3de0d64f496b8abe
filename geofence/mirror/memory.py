"""What is remembered of mirrors from run to run, so that an old index is noticed."""

from __future__ import annotations

from collections.abc import Mapping

from geofence.model.frozen import dataclass, field


@dataclass(frozen=True, slots=True)
class Seen:
    """An index as a mirror gave it last."""

    etag: str | None
    document: bytes
    """With its signature."""


@dataclass(frozen=True, slots=True)
class MirrorMemory:
    """What is remembered."""

    seen: Mapping[str, Seen] = field(default_factory=dict)
    """The last index of each mirror, by its URL."""
    serials: Mapping[str, int] = field(default_factory=dict)
    """The highest serial number that was signed by each key, by the key's number."""
