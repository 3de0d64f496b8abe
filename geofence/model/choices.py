"""Keys of the rules whose values are words: the backend, and what holds without a ruleset."""

from __future__ import annotations

from enum import StrEnum


class BackendChoice(StrEnum):
    """The ``backend`` key: which kernel interface implements the fence.

    This is the only list of the backends, in the order in which ``auto`` prefers them; each is a
    package of ``geofence.backends`` with that name.
    """

    AUTO = "auto"
    IPSET = "ipset"
    NFTABLES = "nftables"


class WithoutRuleset(StrEnum):
    """``[boot] without_ruleset``: what ``restore`` does when no recorded generation is usable."""

    CLOSED = "closed"
    """Allow only exceptions and local networks to every service."""
    OPEN = "open"
    """Set up no fence."""
