"""A prefix in parts of whose addresses the same is told, found by the sets they are in. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from geofence.model.prefixes import Prefix, PrefixSet


@dataclass(frozen=True, slots=True)
class Part:
    """Addresses of a prefix of which the same is told."""

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
        addresses = self.addresses + other.addresses
        return Part(widest.first, widest.past, addresses, self.ranges + other.ranges)


def cut(
    prefix: Prefix, sets: Iterable[PrefixSet], tell: Callable[[int], str]
) -> tuple[tuple[str, Part], ...]:
    """Return the parts of a prefix of which the same is told, each with that, the largest first.

    Args:
        prefix: what is cut.
        sets: all that what is told depends on, of the prefix's family.
        tell: returns what is told of an address; asked once for all that are in the same sets.
    """
    told: dict[int, str] = {}
    found: dict[str, Part] = {}
    for text, first, past in _joined(_ranges(prefix, sets), tell, told):
        part = Part(first, past, past - first, 1)
        found[text] = found[text].together(part) if text in found else part
    return tuple(sorted(found.items(), key=lambda each: (-each[1].addresses, each[1].first)))


def _joined(
    ranges: Iterable[tuple[int, int, int]], tell: Callable[[int], str], told: dict[int, str]
) -> Iterator[tuple[str, int, int]]:
    """Yield ranges of which the same is told, neighbours as one."""
    before: tuple[str, int, int] | None = None
    for members, first, past in ranges:
        if members not in told:
            told[members] = tell(first)
        text = told[members]
        if before is not None and before[0] == text:
            before = text, before[1], past
            continue
        if before is not None:
            yield before
        before = text, first, past
    if before is not None:
        yield before


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
