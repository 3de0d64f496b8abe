"""A recorded, applied ruleset."""

from __future__ import annotations

from geofence.lean import datetime
from geofence.model.frozen import dataclass
from geofence.model.ruleset import Ruleset


@dataclass(frozen=True, slots=True)
class ListNote:
    """Which version of a list went into a generation."""

    name: str
    """As ``str(ListId)`` writes it."""
    checked_at: datetime
    """When its source last confirmed it, UTC; when it was missing, if the name had not resolved."""
    sha256: str
    """Empty for a name that had not resolved yet."""


@dataclass(frozen=True, slots=True)
class Generation:
    """What was applied, verified in the kernel, and recorded."""

    number: int
    created_at: datetime
    """UTC."""
    reason: str
    """The command that applied it, as a person would name it."""
    backend: str
    ruleset: Ruleset
    lists: tuple[ListNote, ...] = ()
    restores: int | None = None
    """Number of the earlier generation that a rollback brought back with it."""
