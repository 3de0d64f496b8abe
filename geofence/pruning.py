"""Which noted sources to forget, so that those that came once do not crowd out the others. Pure.

A set of noted sources is bounded. One-shot sources with forged addresses could fill it for a week.
"""

from __future__ import annotations

from geofence.model.elements import Noted
from geofence.model.sets import MOST_NOTED


def is_crowded(noted: Noted, most: int = MOST_NOTED) -> bool:
    """Whether sources are to be forgotten: a set is more than three quarters full."""
    return 4 * noted.number > 3 * most


def superfluous(denied: Noted, seen: Noted, most: int = MOST_NOTED) -> list[int]:
    """Return the sources to forget so that half of a crowded set is left.

    They are those with the fewest packets; of equals, those that came last the longest ago.

    Args:
        denied: sources with what they sent.
        seen: the same, each since it came last.
        most: how many the set can hold.
    """
    if not is_crowded(denied, most):
        return []
    lately = dict(zip(seen.networks, seen.seconds, strict=True))
    ranked = sorted(
        zip(
            denied.packets,
            map(lately.get, denied.networks, denied.seconds),
            denied.networks,
            strict=True,
        )
    )
    return [network for _, _, network in ranked[: denied.number - most // 2]]


def strays(denied: Noted, seen: Noted, most: int = MOST_NOTED) -> list[int]:
    """Return the sources of a crowded set of times that have no packets to tell them of.

    Args:
        denied: sources with what they sent.
        seen: when each came last.
        most: how many the set can hold.
    """
    if not is_crowded(seen, most):
        return []
    known = set(denied.networks)
    return [network for network in seen.networks if network not in known]
