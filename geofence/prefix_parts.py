"""A prefix in parts whose addresses are in the same sets, and so are decided alike. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from geofence.model.prefixes import Prefix, PrefixSet


@dataclass(frozen=True, slots=True)
class Part:
    """Addresses of a prefix that are in the same sets."""

    first: int
    """First address of the widest range."""
    past: int
    """The address after the last one of the widest range."""
    addresses: int
    """In all ranges."""
    ranges: int

    def together(self, other: Part) -> Part:
        """Return both as one part."""
        widest = max(self, other, key=lambda part: part.past - part.first)
        return Part(
            widest.first,
            widest.past,
            self.addresses + other.addresses,
            self.ranges + other.ranges,
        )


def cut(prefix: Prefix, sets: Iterable[PrefixSet]) -> tuple[Part, ...]:
    """Return the parts of a prefix, the largest first.

    Args:
        prefix: what is cut.
        sets: of the prefix's family.
    """
    widest: dict[int, tuple[int, int, int]] = {}
    sums: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for members, first, past in _ranges(prefix, sets):
        sums[members][0] += past - first
        sums[members][1] += 1
        widest[members] = max(widest.get(members, (0, 0, 0)), (past - first, -first, past))
    parts = [Part(-first, past, *sums[members]) for members, (_, first, past) in widest.items()]
    return tuple(sorted(parts, key=lambda part: (-part.addresses, part.first)))


def _ranges(prefix: Prefix, sets: Iterable[PrefixSet]) -> Iterator[tuple[int, int, int]]:
    """Yield each range with the numbers of the sets that have it, as bits."""
    switched: defaultdict[int, int] = defaultdict(int)
    whole = PrefixSet.of(prefix.family, [prefix])
    for number, content in enumerate(sets):
        for first, past in (content & whole).intervals():
            switched[first] ^= 1 << number
            switched[past] ^= 1 << number
    begin, members = prefix.network, switched.pop(prefix.network, 0)
    switched.pop(prefix.past, None)
    for at in sorted(switched):
        if switched[at]:
            yield members, begin, at
            begin, members = at, members ^ switched[at]
    yield members, begin, prefix.past
