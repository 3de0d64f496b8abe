"""Compact sets: the same addresses in prefixes of fewer lengths.

A look-up in a ``hash:net`` set is one look-up in a hash for each prefix length that occurs in the
set; a dropped packet takes all of them. A country has some twenty lengths, most of them for a few
prefixes. Written as several longer prefixes each, those need no length of their own: a third of the
lengths is left for half as many entries again, and what arrives costs the host less.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate
from operator import itemgetter

from geofence.model.prefixes import Family, PrefixSet

_GROWTH = 2
"""Times as many entries as the fewest possible, at most."""
_READABLE = 256
"""A set of no more entries stays as it is, for people to read: ``10.0.0.0/8``, not parts of it."""
_MOST = 65_536
"""Entries beyond which no set grows: each costs a microsecond or two, and memory."""

_Kept = tuple[int, tuple[int, ...]]
"""A number of entries, and the lengths in which they are written."""


def by_few_lengths(content: PrefixSet) -> dict[int, list[int]]:
    """Return prefixes that make up a set, in few lengths: the networks of each, ascending.

    None is a ``/0``, which the kernel does not take. They are the fewest possible where the set
    holds half of all addresses or more: there, hardly a packet is dropped.
    """
    networks, lengths = content.split(shortest=1)
    found: dict[int, list[int]] = {length: [] for length in sorted(set(lengths))}
    append = {length: group.append for length, group in found.items()}
    for network, length in zip(networks, lengths, strict=True):
        append[length](network)
    if len(lengths) <= _READABLE or _covered(content.family, found) >> (content.family.bits - 1):
        return found
    most = min(len(lengths) * _GROWTH, _MOST)
    return lengthened(content.family, found, most)


def _covered(family: Family, prefixes: Mapping[int, list[int]]) -> int:
    return sum(len(group) << (family.bits - length) for length, group in prefixes.items())


def lengthened(
    family: Family, prefixes: Mapping[int, list[int]], most: int
) -> dict[int, list[int]]:
    """Return the same addresses in as few lengths as a number of entries allows.

    Args:
        family: of all prefixes.
        prefixes: the first address of each, ascending, by their lengths.
        most: how many entries it may come to; as many as there are prefixes are always allowed.
    """
    kept = fewest_lengths(family, {length: len(group) for length, group in prefixes.items()}, most)
    found: dict[int, list[int]] = {length: [] for length in kept}
    for length, group in prefixes.items():
        target = kept[bisect_left(kept, length)]
        found[target] += group if target == length else _cut(family, group, length, target)
    for group in found.values():
        group.sort()
    return found


def _cut(family: Family, networks: list[int], length: int, target: int) -> Iterator[int]:
    """Yield the prefixes of a longer length that make up those of a shorter one."""
    size, step = 1 << (family.bits - length), 1 << (family.bits - target)
    for network in networks:
        yield from range(network, network + size, step)


def fewest_lengths(family: Family, counts: Mapping[int, int], most: int) -> tuple[int, ...]:
    """Return the fewest lengths for prefixes, each at its own or the next longer one.

    Of as many lengths those are taken that need the fewest entries.

    Args:
        family: of the prefixes.
        counts: how many prefixes there are, by length.
        most: how many entries it may come to; as many as there are prefixes are always allowed.
    """
    present = sorted(counts)
    if not counts or most <= sum(counts.values()):
        return tuple(present)
    addresses = list(accumulate(counts[each] << (family.bits - each) for each in present))

    # By the longest length kept: entries for all prefixes up to it, and the lengths kept.
    best: list[_Kept] = [
        (covered >> (family.bits - each), (each,))
        for each, covered in zip(present, addresses, strict=True)
    ]

    def with_one_more(at: int) -> Iterator[_Kept]:
        """Yield ``present[at]`` after what is best up to any shorter length."""
        length = present[at]
        for (entries, kept), covered in zip(best[:at], addresses, strict=False):
            yield entries + ((addresses[at] - covered) >> (family.bits - length)), (*kept, length)

    while best[-1][0] > most:
        best = [min([best[at], *with_one_more(at)], key=itemgetter(0)) for at in range(len(best))]
    return best[-1][1]
