"""Bans: addresses and prefixes that are blocked for a time, by hand or by a program."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from geofence.model.frozen import dataclass
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


@dataclass(frozen=True, slots=True)
class BanOrder:
    """What is to be banned, as a program asks for it."""

    prefix: Prefix
    lasting: timedelta | None = None
    """None: until it is unbanned."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UnbanOrder:
    """Whose ban is to end, as a program asks for it."""

    prefix: Prefix
    within: timedelta | None = None
    """A ban that lasts longer stays; None: whatever it lasts."""


class Draft:
    """Changes of bans, one after the other, that are recorded together."""

    def __init__(self, bans: Mapping[Prefix, Ban], now: datetime) -> None:
        """Begin without a change.

        Args:
            bans: those before; they may have ended.
            now: UTC.
        """
        self._bans = bans
        self.now = now
        self._changed: dict[Prefix, Ban | None] = {}

    def get(self, prefix: Prefix) -> Ban | None:
        """Return the ban of exactly this prefix, if one lasts."""
        if prefix in self._changed:
            return self._changed[prefix]
        return self._before(prefix)

    def ban(self, prefix: Prefix, lasting: timedelta | None, reason: str) -> Ban:
        """Ban a prefix from now on; a ban that lasts longer keeps its end."""
        until = None if lasting is None else self.now + lasting
        new, held = Ban(prefix, self.now, until, reason), self.get(prefix)
        made = self._changed[prefix] = held.together(new) if held else new
        return made

    def unban(self, prefix: Prefix) -> None:
        """End the ban of a prefix."""
        self._changed[prefix] = None

    @property
    def banned(self) -> list[Ban]:
        """Bans that are new or changed."""
        return [ban for ban in self._changed.values() if ban]

    @property
    def unbanned(self) -> list[Prefix]:
        """Prefixes whose ban has ended by it."""
        return [each for each, ban in self._changed.items() if not ban and self._before(each)]

    @property
    def replaced(self) -> list[Prefix]:
        """Prefixes that were banned before, of all that changed."""
        return [each for each in self._changed if self._before(each)]

    def _before(self, prefix: Prefix) -> Ban | None:
        found = self._bans.get(prefix)
        return found if found and found.lasts(self.now) else None
