"""Which noted sources to forget, so that those that came once do not crowd out the others. Pure.

A set of noted sources is bounded. One-shot sources with forged addresses could fill it for a week.
"""

from __future__ import annotations

from collections.abc import Mapping

from geofence.model.elements import Noted
from geofence.model.sets import MOST_NOTED

_CROWDED = 0.75
"""How full a set is when sources are to be forgotten."""


def is_crowded(noted: Noted, most: int = MOST_NOTED) -> bool:
    """Whether sources are to be forgotten."""
    return noted.fullness(most) > _CROWDED


def superfluous(denied: Noted, seen: Noted, most: int = MOST_NOTED) -> list[int]:
    """Return the sources to forget so that half of each crowded set is left.

    They are those with the fewest packets; of equals, those that came last the longest ago.

    Args:
        denied: sources with what they sent.
        seen: the same, each since it came last.
        most: how many the kernel's sets can hold together.
    """
    parts, room = _crowded_parts(denied, most)
    lately = dict(zip(seen.networks, seen.seconds, strict=True)) if parts else {}
    return [network for part in parts for network in _fewest(part, lately, part.number - room // 2)]


def _crowded_parts(noted: Noted, most: int) -> tuple[list[Noted], int]:
    """Return the sources of each crowded set, and how many one set can hold."""
    parts = noted.in_parts()
    room = most // len(parts)
    return [part for part in parts if is_crowded(part, room)], room


def _fewest(part: Noted, lately: Mapping[int, float], number: int) -> list[int]:
    """Return so many sources, those that are missed least."""
    last = map(lately.get, part.networks, part.seconds)
    ranked = sorted(zip(part.packets, last, part.networks, strict=True))
    return [network for _, _, network in ranked[:number]]


def strays(denied: Noted, seen: Noted, most: int = MOST_NOTED) -> list[int]:
    """Return the sources of crowded sets of times that have no packets to tell them of.

    Args:
        denied: sources with what they sent.
        seen: when each came last.
        most: how many the kernel's sets can hold together.
    """
    parts, _ = _crowded_parts(seen, most)
    known = set(denied.networks)
    return [network for part in parts for network in part.networks if network not in known]
