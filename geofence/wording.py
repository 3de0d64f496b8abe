"""Numbers, spans of time and addresses as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta

from geofence.model.prefixes import Family, PrefixSet

_SLASH_48 = 1 << 80
"""Addresses in a /48, the usual size of one site's IPv6 network."""


def addresses(family: Family, count: int) -> str:
    """A number of addresses: one by one for IPv4, in /48 networks for IPv6."""
    if family is Family.IPV4 or count == 0:
        return f"{count:,}"
    if count < _SLASH_48:
        return "<1 /48"
    return f"{count // _SLASH_48:,} /48"


def size(content: PrefixSet) -> str:
    """The number of addresses in a set."""
    return addresses(content.family, content.size)


def age(moment: datetime, now: datetime) -> str:
    """How long ago something was: ``3 h ago``."""
    return f"{span(max(now - moment, timedelta()))} ago"


def span(length: timedelta) -> str:
    """A length of time in its largest fitting unit."""
    seconds = int(length.total_seconds())
    for unit, seconds_each in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * seconds_each:
            return f"{seconds // seconds_each} {unit}"
    return f"{seconds} s"


def plural(count: int, one: str, many: str = "") -> str:
    """``1 rule``, ``2 rules``."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {many or one + 's'}"


def moment(when: datetime) -> str:
    """A point in time for people, UTC."""
    return when.strftime("%Y-%m-%d %H:%M UTC")
