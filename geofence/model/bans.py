"""Bans: addresses and prefixes that are blocked for a time, by hand or by a program."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from geofence.model.prefixes import Prefix


@dataclass(frozen=True, slots=True)
class Ban:
    """A prefix that is blocked until a time."""

    prefix: Prefix
    at: datetime
    """When it was banned, UTC."""
    until: datetime | None = None
    """UTC; None: until it is unbanned."""
    reason: str = ""
    """As it was given."""

    def lasts(self, now: datetime) -> bool:
        """Whether it has not ended."""
        return self.until is None or self.until > now

    def together(self, other: Ban) -> Ban:
        """Return the ban of the same prefix that both make: a later one shortens no ban."""
        if self.until is None or (other.until is not None and other.until < self.until):
            return Ban(self.prefix, other.at, self.until, other.reason or self.reason)
        return other
