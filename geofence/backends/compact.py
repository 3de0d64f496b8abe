"""Compact sets: the same addresses in prefixes of fewer lengths.

A look-up in a ``hash:net`` set is one look-up in a hash for each prefix length that occurs in the
set; a dropped packet takes all of them. A country has some twenty lengths, most of them for a few
prefixes. Written as several longer prefixes each, those need no length of their own: a third of the
lengths is left for half as many entries again, and what arrives costs the host less.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
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


def in_few_lengths(content: PrefixSet) -> tuple[list[int], list[int]]:
    """Return prefixes that make up a set, in few lengths: networks, ascending, and lengths.

    None is a ``/0``, which the kernel does not take. They are the fewest possible where the set
    holds half of all addresses or more: there, hardly a packet is dropped.
    """
    networks, lengths = content.split(shortest=1)
    if len(lengths) <= _READABLE or content.size >> (content.family.bits - 1):
        return networks, lengths
    most = min(len(lengths) * _GROWTH, _MOST)
    return lengthened(content.family, networks, lengths, most)


def lengthened(
    family: Family, networks: list[int], lengths: list[int], most: int
) -> tuple[list[int], list[int]]:
    """Return the same addresses in as few lengths as a number of entries allows.

    Args:
        family: of all prefixes.
        networks: the first address of each.
        lengths: the length of each.
        most: how many entries it may come to; as many as there are prefixes are always allowed.
    """
    kept = fewest_lengths(family, Counter(lengths), most)
    longer = {length: kept[bisect_left(kept, length)] for length in set(lengths)}
    more_networks: list[int] = []
    more_lengths: list[int] = []
    for network, length in zip(networks, lengths, strict=True):
        target = longer[length]
        if target == length:
            more_networks.append(network)
            more_lengths.append(length)
        else:
            past = network + (1 << (family.bits - length))
            more_networks += range(network, past, 1 << (family.bits - target))
            more_lengths += [target] * (1 << (target - length))
    return more_networks, more_lengths


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
