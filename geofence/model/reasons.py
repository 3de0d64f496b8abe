"""Reasons of a verdict, and hints how to change it, as facts."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from geofence.model.frozen import dataclass, field


class ReasonKind(StrEnum):
    """A kind of reason. The values are stable: scripts read them."""

    NOT_FENCED = "not-fenced"
    """No fenced service has the port."""
    EXCEPTION = "exception"
    """The exception ``subject`` allows it."""
    COUNTRY = "country"
    """It is in the lists of ``countries`` and ``asns``, which are allowed."""
    BLOCKED_BY_LIST = "blocklist"
    """It is in the blocklist ``subject``."""
    NO_COUNTRY = "no-country"
    """It is in no list of the allowed ``countries`` and ``asns``; ``missing`` ones have no list."""
    BANNED = "banned"
    """The ban of ``subject`` blocks it, ``since`` then and ``until`` then, for a ``reason``;
    ``subject`` is empty where there are many bans."""
    TIMED_EXCEPTION = "timed-exception"
    """The exception ``subject`` allows it ``until`` then."""
    TIMED_COUNTRY = "timed-country"
    """It is in the list of the country ``subject``, which is allowed ``until`` then."""
    ALLOWED_BY_RULES = "allowed-by-rules"
    BLOCKED_BY_RULES = "blocked-by-rules"
    NO_FENCE = "no-fence"
    """The kernel has no fence for the family ``subject``."""
    NO_SERVICE_IN_KERNEL = "no-service-in-kernel"
    IN_SET = "in-set"
    """The kernel's set ``subject`` holds it."""
    IN_NO_SET = "in-no-set"
    """None of the kernel's ``sets`` holds it."""


class HintKind(StrEnum):
    """A kind of hint. The values are stable: scripts read them."""

    ALLOW_EXCEPTION = "allow-exception"
    """'geofence allow ``subject``' allows it."""
    ALLOW_GROUP = "allow-group"
    """'geofence allow ``subject``' allows it, with what belongs to it: signalling and media."""
    LOCAL_PREFIX = "local-prefix"
    """``subject`` in [local] prefixes allows it on an interface."""
    UNBAN = "unban"
    """'geofence unban ``subject``' ends the ban."""
    ALLOW_ADDRESS = "allow-address"
    """'geofence allow ``subject`` --for 8h' allows it."""
    ALLOW_COUNTRY = "allow-country"
    """'geofence allow --country ``subject``' allows it, and all others there."""
    REVOKE = "revoke"
    """'geofence revoke ``subject``' ends the exception that allows it."""
    REVOKE_COUNTRY = "revoke-country"
    """'geofence revoke --country ``subject``' blocks it, and all others there."""
    BAN = "ban"
    """'geofence ban ``subject`` --for 1h' blocks it."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the fence allows or blocks a packet."""

    kind: ReasonKind
    subject: str = ""
    origin: str = ""
    """File and line of the rule; empty if unknown."""
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hint:
    """What would change a verdict."""

    kind: HintKind
    subject: str
