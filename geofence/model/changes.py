"""What two versions of a list have in common, and what they have not."""

from __future__ import annotations

from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import AddressSpace, PrefixSet


class SpaceChange(NamedTuple):
    """What a version of a list has gained and lost since another one: little, of most."""

    gained: AddressSpace
    lost: AddressSpace

    def __bool__(self) -> bool:
        return bool(self.gained) or bool(self.lost)


def change_between(before: AddressSpace, later: AddressSpace) -> SpaceChange:
    """Return what a later version has gained and lost."""
    gained4, lost4 = _gained_and_lost(before.ipv4, later.ipv4)
    gained6, lost6 = _gained_and_lost(before.ipv6, later.ipv6)
    return SpaceChange(AddressSpace(gained4, gained6), AddressSpace(lost4, lost6))


def _gained_and_lost(before: PrefixSet, later: PrefixSet) -> tuple[PrefixSet, PrefixSet]:
    """Return what is in one of two sets alone.

    Intervals that both have touch none of the others, so only the others are compared.
    """
    if before.bounds == later.bounds:
        return PrefixSet(before.family), PrefixSet(before.family)
    gone, new = before.without_same(later), later.without_same(before)
    return new - gone, gone - new


def sharing(space: AddressSpace, other: AddressSpace) -> AddressSpace:
    """Return the same space, which has the numbers of another one where they are equal.

    Two versions of a list that are held at the same time take little more memory than one.
    """
    return AddressSpace(_sharing(space.ipv4, other.ipv4), _sharing(space.ipv6, other.ipv6))


def _sharing(content: PrefixSet, other: PrefixSet) -> PrefixSet:
    if content.bounds == other.bounds:
        return other
    known = dict(zip(other.bounds, other.bounds, strict=True))
    return PrefixSet(content.family, tuple(map(known.get, content.bounds, content.bounds)))
