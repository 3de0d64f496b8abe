"""The fence's sets: what each is for, and what it is called.

Apart from the ruleset, since who asks for the content of one set needs nothing of the rest.
"""

from __future__ import annotations

from enum import StrEnum

from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family


class SetKind(StrEnum):
    """Who decides what a set holds."""

    DECLARED = "declared"
    """The rules and the lists: the kernel's set is compared with them whole."""
    RUNTIME = "runtime"
    """What happens at run time: elements come and go, with time-outs. A plan only sees to it that
    the set is there; its elements are no drift, and nothing but removing the set loses them."""


class Role(StrEnum):
    """What being in a set means."""

    EXCEPTION = "except"
    """Allowed before anything else is asked: named exceptions."""
    ALLOW = "allow"
    """Allowed: countries less the blocklists."""
    BAN = "ban"
    """Blocked for a time, whatever else allows it but exceptions and local networks."""
    TIMED = "timed"
    """Allowed until a time: exceptions that have an end."""
    DENIED = "denied"
    """Sources that were turned away, with what they sent: noted by the kernel itself."""
    SEEN = "seen"
    """The same sources, each for as long as it was seen lately: tells when it came last."""

    @property
    def kind(self) -> SetKind:
        """The kind of this role's sets."""
        return SetKind.RUNTIME if self in RUNTIME_ROLES else SetKind.DECLARED


RUNTIME_ROLES = frozenset({Role.BAN, Role.TIMED, Role.DENIED, Role.SEEN})
"""Roles whose sets are filled at run time."""
NOTED_ROLES = frozenset({Role.DENIED, Role.SEEN})
"""Roles whose sets the kernel itself fills."""
NOTED_BITS = {Family.IPV4: 32, Family.IPV6: 64}
"""Bits of a source's address that are noted: who has one IPv6 address has its whole /64 network."""
NOTED_SECONDS = 7 * 24 * 3600
"""How long a source that was turned away stays noted."""
NOTED_PER_SECOND = 2_000
"""Packets of a service and a family whose sources are noted in a second. Of a flood that is a
sample: noting each of its packets would cost half as much again as dropping it."""
MOST_NOTED = 65_536
"""Sources that are noted for a service and a family; each takes some 100 bytes in the kernel."""


class SetKey(NamedTuple):
    """Which set. ``group`` is a service's name, or empty for the set that services share."""

    role: Role
    group: str
    family: Family

    @property
    def name(self) -> str:
        """Short name, unique among geofence's sets: ``allow4``, ``except6-sip``."""
        stem = f"{self.role}{self.family.digit}"
        return f"{stem}-{self.group}" if self.group else stem

    @property
    def kind(self) -> SetKind:
        """The kind of the set, by its role."""
        return self.role.kind

    @classmethod
    def parse(cls, name: str) -> SetKey | None:
        """Return the key of a name; None for a name that geofence does not give."""
        stem, _, group = name.partition("-")
        known = _STEMS.get(stem)
        return None if known is None else cls(known[0], group, known[1])


_STEMS = {f"{role}{family.digit}": (role, family) for role in Role for family in Family}
"""What names begin with, and what that means."""
