"""Which addresses a ban may name. Pure.

A log can be made to name anybody: this host, the unspecified address, the operator's own phone. So
a ban of what must never be blocked is refused, whoever asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from geofence.geoip.scopes import LOOPBACK, NO_SOURCE, UNSPECIFIED
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet

BROADEST = {Family.IPV4: 8, Family.IPV6: 16}
"""Lengths of the broadest prefixes that can be banned. What is broader is a matter of rules."""


class BanRefusal(StrEnum):
    """Why a prefix is not banned."""

    UNSPECIFIED = "unspecified"
    """It holds 0.0.0.0/8 or ::, which nobody has: logs name them by mistake."""
    LOOPBACK = "loopback"
    OWN = "own"
    """It holds an address of this host."""
    NO_SOURCE = "no-source"
    """Multicast, or reserved: no packet comes from there."""
    LOCAL = "local"
    """It is in a local network."""
    EXCEPTION = "exception"
    """It is allowed by name."""
    TOO_BROAD = "too-broad"


@dataclass(frozen=True, slots=True)
class Protected:
    """What is never banned on this host."""

    own: AddressSpace = field(default_factory=AddressSpace)
    local: AddressSpace = field(default_factory=AddressSpace)
    exceptions: AddressSpace = field(default_factory=AddressSpace)

    def refusal(self, prefix: Prefix) -> BanRefusal | None:
        """Return why a prefix is not banned; None if it may be.

        Of a broader prefix, what is allowed by name or local stays allowed in it; one that is
        wholly such is refused.
        """
        for space, refusal in (
            (UNSPECIFIED, BanRefusal.UNSPECIFIED),
            (LOOPBACK, BanRefusal.LOOPBACK),
            (self.own, BanRefusal.OWN),
            (NO_SOURCE, BanRefusal.NO_SOURCE),
        ):
            if _meets(space, prefix):
                return refusal
        for space, refusal in (
            (self.exceptions, BanRefusal.EXCEPTION),
            (self.local, BanRefusal.LOCAL),
        ):
            if _holds(space, prefix):
                return refusal
        return BanRefusal.TOO_BROAD if prefix.length < BROADEST[prefix.family] else None

    def spared(self, prefix: Prefix) -> AddressSpace:
        """Return the part of a banned prefix that stays allowed."""
        return AddressSpace.of((prefix,)) & (self.exceptions | self.local)


def _meets(space: AddressSpace, prefix: Prefix) -> bool:
    if prefix.length == prefix.family.bits:
        return prefix.network in space[prefix.family]
    return bool(space[prefix.family] & _only(prefix))


def _holds(space: AddressSpace, prefix: Prefix) -> bool:
    if prefix.length == prefix.family.bits:
        return prefix.network in space[prefix.family]
    return not _only(prefix) - space[prefix.family]


def _only(prefix: Prefix) -> PrefixSet:
    return PrefixSet.of(prefix.family, (prefix,))


def space_of(elements: Iterable[tuple[Family, int, int]]) -> AddressSpace:
    """Return the addresses of elements: family, first address and the one after the last."""
    known = tuple(elements)
    return AddressSpace(
        *(
            PrefixSet.of_ranges(
                family,
                [first for each, first, _ in known if each is family],
                [past for each, _, past in known if each is family],
            )
            for family in Family
        )
    )
