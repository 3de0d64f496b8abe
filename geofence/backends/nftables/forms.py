"""The form that each set of a ruleset takes in the kernel: intervals, or hashes of prefixes.

Linux keeps intervals in a tree, and lists them by 32 KiB at a time, each time from the front of the
tree up to where it was (``nft_rbtree_walk``): ten times as many take a hundred times as long. So a
large set becomes several, each a hash of the prefixes of one length, and a rule for each. That is
filled, listed and searched faster, and what is listed is compared as it is packed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from geofence.backends.compact import by_few_lengths
from geofence.backends.nftables.kernel_sets import FloodKey, Key, LengthKey, kernel_keys
from geofence.backends.prefilter import Enclosing, arranged, excepted, networks, prefilter_sets
from geofence.backends.prefilter_key import LENGTH
from geofence.model.prefixes import Family, PrefixSet, pack_networks, unpack_addresses
from geofence.model.ruleset import Ruleset, SetKey
from geofence.netlink.columns import same_rows

MOST_INTERVALS = 10_000
"""Of a set that stays one set of intervals."""
_REMEMBERED = 16
"""Prefilters that are remembered."""

Content = PrefixSet | bytes
"""Of a set of the table: intervals, or the keys of a hash, packed in ascending order."""

_Lengths = dict[LengthKey, bytes]


class Forms:
    """What sets look like in the kernel, by their content; remembers the last of each.

    One run asks several times: for the rules, for what is to be written, and for what was read.
    """

    def __init__(self, most_intervals: int = MOST_INTERVALS) -> None:
        """Know nothing yet.

        Args:
            most_intervals: of a set that stays one set of intervals.
        """
        self._most = most_intervals
        self._divided: dict[SetKey, tuple[PrefixSet, _Lengths]] = {}
        self._wanted: tuple[Ruleset, dict[Key, Content]] | None = None
        self._packed: list[tuple[PrefixSet, bytes]] = []
        self.enclosing = Enclosing()
        """Returns what encloses parts."""

    def wanted(self, ruleset: Ruleset) -> Mapping[Key, Content]:
        """Return all sets: the ruleset's, and the prefilters that enclose what they allow."""
        if self._wanted is None or self._wanted[0] is not ruleset:
            self._wanted = (ruleset, self._found(ruleset))
        return self._wanted[1]

    def _found(self, ruleset: Ruleset) -> dict[Key, Content]:
        found: dict[Key, Content] = {}
        for key, content in ruleset.sets.items():
            if len(content.bounds) > 2 * self._most:
                found.update(self._parts(key, content).items())
            else:
                found[key] = content
        runtime = (each for key in ruleset.runtime_keys for each in kernel_keys(key))
        found.update((key, PrefixSet(key.family)) for key in runtime)
        near = prefilter_sets(ruleset, self.enclosing)
        found.update((key, self.packed(around)) for key, around in near.items())
        first = set(_asked_first(ruleset)) if near else ()
        flooded = (FloodKey(key) for key in near if key.service in first)
        found.update((key, PrefixSet(key.family)) for key in flooded)
        return found

    def whole(self, key: SetKey, held: Mapping[LengthKey, bytes]) -> PrefixSet:
        """Return what the parts of a set hold together, the one that is known where it is that."""
        known = self._divided.get(key)
        if known is not None and _are_alike(known[1], held):
            return known[0]
        return _joined(key.family, held)

    def packed(self, around: PrefixSet) -> bytes:
        """Return the networks of a prefilter as the keys of its hash, known ones at once."""
        for known, keys in self._packed:
            if known == around:
                return keys
        keys = pack_networks(around.family, networks(around), LENGTH)
        self._packed = [(around, keys), *self._packed][:_REMEMBERED]
        return keys

    def _parts(self, key: SetKey, content: PrefixSet) -> _Lengths:
        known = self._divided.get(key)
        if known is None or known[0] is not content:
            known = self._divided[key] = (content, divided(key, content))
        return known[1]


def _asked_first(ruleset: Ruleset) -> Iterator[str]:
    """Yield the services whose prefilters are asked before anything else."""
    for service in ruleset.services:
        if excepted(arranged(ruleset.rules(service)).before) is not None:
            yield service.name


def divided(whole: SetKey, content: PrefixSet) -> dict[LengthKey, bytes]:
    """Return the prefixes of a set by their lengths, in few lengths, packed in ascending order."""
    return {
        LengthKey(whole, length): pack_networks(whole.family, networks, length)
        for length, networks in by_few_lengths(content).items()
    }


def _are_alike(known: Mapping[LengthKey, bytes], held: Mapping[LengthKey, bytes]) -> bool:
    return known.keys() == held.keys() and all(
        same_rows(known[key], held[key], key.family.bits // 8) for key in known
    )


def _joined(family: Family, held: Mapping[LengthKey, bytes]) -> PrefixSet:
    firsts: list[int] = []
    pasts: list[int] = []
    for key, packed in held.items():
        size = 1 << (family.bits - key.length)
        found: Sequence[int] = unpack_addresses(family, packed)
        firsts += found
        pasts += [network + size for network in found]
    return PrefixSet.of_ranges(family, firsts, pasts)
