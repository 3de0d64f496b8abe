"""Sets of addresses, and the algebra on them.

An address is an integer in network order. A set of addresses is held as its sorted *bounds*
``(first, past, first, past, …)``: half-open intervals that neither overlap nor touch. The form is
canonical (equal sets have equal bounds), membership is one bisection, complement is adding or
removing the two ends of the number line, and all other operations follow from union and complement.

netaddr's ``IPSet`` offers the same operations; it is not used here because it holds one object per
prefix and takes seconds for the world's lists (see ``benchmarks/``).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from enum import StrEnum
from itertools import chain, compress, islice
from operator import lt, ne
from struct import iter_unpack
from sys import byteorder

from geofence.lean import AF_INET, AF_INET6, inet_ntop
from geofence.model.frozen import NamedTuple, dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Family(StrEnum):
    """An address family."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"

    @property
    def bits(self) -> int:
        """Length of an address in bits."""
        return 32 if self is Family.IPV4 else 128

    @property
    def digit(self) -> str:
        """``4`` or ``6``, as names of sets end in it."""
        return "4" if self is Family.IPV4 else "6"

    @property
    def label(self) -> str:
        """``IPv4`` or ``IPv6``, as people write it."""
        return f"IPv{self.digit}"

    @property
    def socket_family(self) -> int:
        """``AF_INET`` or ``AF_INET6``."""
        return AF_INET if self is Family.IPV4 else AF_INET6


_WORD_BITS = 64
"""Half of an IPv6 address."""


def address_texts(space: AddressSpace) -> list[str]:
    """Return the prefixes of a space; single addresses without a length."""
    return [
        address_text(family, prefix.network) if prefix.length == family.bits else str(prefix)
        for family in Family
        for prefix in space[family].prefixes()
    ]


def prefix_text(prefix: Prefix) -> str:
    """Return a prefix for people: a single address without a length."""
    alone = prefix.length == prefix.family.bits
    return address_text(prefix.family, prefix.network) if alone else str(prefix)


def address_text(family: Family, address: int) -> str:
    """Return the usual text of an address (RFC 5952 for IPv6)."""
    return inet_ntop(family.socket_family, address.to_bytes(family.bits // 8, "big"))


def pack_addresses(family: Family, addresses: Sequence[int]) -> bytes:
    """Return addresses in network order, one after the other."""
    if family is Family.IPV6:
        return b"".join([address.to_bytes(16, "big") for address in addresses])
    words = array("I", addresses)
    if byteorder == "little":
        words.byteswap()
    return words.tobytes()


def unpack_addresses(family: Family, packed: bytes) -> list[int]:
    """Return the addresses of ``pack_addresses``."""
    if family is Family.IPV6:
        return list(map(int.from_bytes, chain.from_iterable(iter_unpack("16s", packed))))
    words = array("I", packed)
    if byteorder == "little":
        words.byteswap()
    return words.tolist()


def pack_networks(family: Family, networks: Sequence[int], longest: int) -> bytes:
    """Return the first addresses of prefixes as ``pack_addresses`` does, most in half the time.

    Args:
        family: of all.
        networks: the addresses.
        longest: no prefix is longer.
    """
    if family is Family.IPV4 or longest > _WORD_BITS:
        return pack_addresses(family, networks)
    words = array("Q", bytes(16 * len(networks)))
    words[0::2] = array("Q", [network >> _WORD_BITS for network in networks])
    if byteorder == "little":
        words.byteswap()
    return words.tobytes()


def unpack_ranges(family: Family, packed: bytes) -> tuple[list[int], list[int]]:
    """Return half-open ranges of which the first and the last addresses are packed in turns.

    Raises:
        ValueError: an address is cut short.
    """
    if family is Family.IPV6 and len(packed) % 32 == 0:
        words = array("Q", packed)
        count = len(words) // 4
        if not any(words[1::4]) and words[3::4] == array("Q", b"\xff" * 8 * count):
            # No prefix is longer than 64 bits, as in all lists of countries.
            if byteorder == "little":
                words.byteswap()
            firsts = [high << _WORD_BITS for high in words[0::4]]
            return firsts, [high + 1 << _WORD_BITS for high in words[2::4]]
    ends = unpack_addresses(family, packed)
    return ends[0::2], [last + 1 for last in ends[1::2]]


class Prefix(NamedTuple):
    """One prefix: all addresses that share their first ``length`` bits with ``network``."""

    family: Family
    network: int
    length: int

    @property
    def past(self) -> int:
        """The first address after the prefix."""
        return self.network + (1 << (self.family.bits - self.length))

    def __str__(self) -> str:
        return f"{address_text(self.family, self.network)}/{self.length}"


_ROOM = 1 << 15
"""Intervals that may wait to be united with those that are."""


_MUCH_SMALLER = 16
"""How many times smaller a set is whose intervals are looked up one by one in the other."""


@dataclass(frozen=True, slots=True)
class PrefixSet:
    """A set of addresses of one family; built by the class methods, never from raw bounds."""

    family: Family
    bounds: tuple[int, ...] = ()
    """``(first, past, first, past, …)``, strictly increasing, between 0 and 2**bits inclusive."""
    _counted: list[int] = field(default_factory=list, compare=False, repr=False)
    """The number of prefixes, once it was found."""
    _sized: list[int] = field(default_factory=list, compare=False, repr=False)
    """The number of addresses, likewise."""

    @classmethod
    def of_ranges(cls, family: Family, firsts: list[int], pasts: list[int]) -> PrefixSet:
        """Return the union of half-open ranges ``firsts[i] … pasts[i]``; sorts both in place.

        With both lists sorted, the union has a hole exactly where the i-th smallest end lies before
        the next start: then as many ranges have ended as have begun.
        """
        if not firsts:
            return cls(family)
        firsts.sort()
        pasts.sort()
        holes = list(map(lt, pasts, islice(firsts, 1, None)))
        if not all(holes):
            firsts = [firsts[0], *compress(islice(firsts, 1, None), holes)]
            pasts = [*compress(pasts, holes), pasts[-1]]
        bounds = [0] * (2 * len(firsts))
        bounds[0::2] = firsts
        bounds[1::2] = pasts
        return cls(family, tuple(bounds))

    @classmethod
    def of(cls, family: Family, prefixes: Iterable[Prefix]) -> PrefixSet:
        """Return the union of prefixes; those of the other family are left out."""
        mine = [prefix for prefix in prefixes if prefix.family is family]
        return cls.of_ranges(family, [p.network for p in mine], [p.past for p in mine])

    @classmethod
    def union(cls, family: Family, parts: Iterable[PrefixSet]) -> PrefixSet:
        """Return the union of any number of sets of one family.

        Parts are united as they come, so that the world's lists need no more memory than half of
        them.
        """
        firsts: list[int] = []
        pasts: list[int] = []
        room = _ROOM
        for part in parts:
            firsts += part.bounds[0::2]
            pasts += part.bounds[1::2]
            if len(firsts) > room:
                bounds = cls.of_ranges(family, firsts, pasts).bounds
                firsts, pasts = list(bounds[0::2]), list(bounds[1::2])
                room = 2 * len(firsts) + _ROOM
        return cls.of_ranges(family, firsts, pasts)

    def complement(self) -> PrefixSet:
        """Return all addresses of the family that are not in this set."""
        top = 1 << self.family.bits
        bounds = self.bounds
        bounds = bounds[1:] if bounds[:1] == (0,) else (0, *bounds)
        bounds = bounds[:-1] if bounds[-1:] == (top,) else (*bounds, top)
        return PrefixSet(self.family, bounds)

    def __or__(self, other: PrefixSet) -> PrefixSet:
        if not (self.bounds and other.bounds):
            return self if self.bounds else other
        return PrefixSet.union(self.family, (self, other))

    def __sub__(self, other: PrefixSet) -> PrefixSet:
        if not (self.bounds and other.bounds):
            return self
        own = self.without_same(other)
        if len(own.bounds) * _MUCH_SMALLER <= len(other.bounds):
            other = own & other
        return (own.complement() | other).complement() if other.bounds else own

    def without_same(self, other: PrefixSet) -> PrefixSet:
        """Return the set without the intervals that the other has, too: most, if it is a version.

        Intervals of a set have gaps between them, so those that are left need no merging.
        """
        firsts, pasts = self.bounds[0::2], self.bounds[1::2]
        ends = dict(zip(other.bounds[0::2], other.bounds[1::2], strict=True))
        differ = list(map(ne, map(ends.get, firsts), pasts))
        left = zip(compress(firsts, differ), compress(pasts, differ), strict=True)
        return PrefixSet(self.family, tuple(chain.from_iterable(left)))

    def __and__(self, other: PrefixSet) -> PrefixSet:
        few, many = (self, other) if len(self.bounds) < len(other.bounds) else (other, self)
        if len(few.bounds) * _MUCH_SMALLER > len(many.bounds):
            return (self.complement() | other.complement()).complement()
        common: list[int] = []
        for first, past in few.intervals():
            common += _between(many.bounds, first, past)
        return PrefixSet(self.family, tuple(common))

    def meets(self, other: PrefixSet) -> bool:
        """Whether the sets share an address; fast if one of them is small."""
        few, many = sorted((self.bounds, other.bounds), key=len)
        return any(
            _has_any(many, first, past) for first, past in zip(few[0::2], few[1::2], strict=True)
        )

    def without(self, other: PrefixSet) -> PrefixSet:
        """Return the difference, without work if the sets share no address."""
        return self - other if self.meets(other) else self

    def __contains__(self, address: int) -> bool:
        return bool(bisect_right(self.bounds, address) & 1)

    def __bool__(self) -> bool:
        return bool(self.bounds)

    @property
    def size(self) -> int:
        """Number of addresses."""
        if not self._sized:
            self._sized[:] = [sum(self.bounds[1::2]) - sum(self.bounds[0::2])]
        return self._sized[0]

    def intervals(self) -> Iterator[tuple[int, int]]:
        """Yield the maximal half-open intervals ``(first, past)``, ascending."""
        return zip(self.bounds[0::2], self.bounds[1::2], strict=True)

    def split(self, *, shortest: int = 0) -> tuple[list[int], list[int]]:
        """Return the fewest prefixes that make up the set, as networks and lengths, ascending.

        Args:
            shortest: no prefix is broader than this length; 1 for kernel sets that take no ``/0``.
        """
        bits = self.family.bits
        most = 1 << (bits - shortest)
        whole = {1 << (bits - length): length for length in range(shortest, bits + 1)}
        networks: list[int] = []
        lengths: list[int] = []
        for first, past in self.intervals():
            size = past - first
            length = whole.get(size)
            if length is not None and not first & (size - 1):  # as most intervals of IPv6 are
                networks.append(first)
                lengths.append(length)
                continue
            at = first
            while at < past:
                size = at & -at or most
                if size > past - at or size > most:
                    size = min(most, 1 << ((past - at).bit_length() - 1))
                networks.append(at)
                lengths.append(whole[size])
                at += size
        if not shortest or (shortest == 1 and self.bounds != (0, 1 << bits)):
            self._counted[:] = [len(lengths)]
        return networks, lengths

    @property
    def prefix_count(self) -> int:
        """Number of prefixes that ``split`` returns, found without making them.

        Between its ends, an interval is widest at the address with most trailing zeros; on either
        side of that, each one bit of the distance is one prefix.
        """
        if not self._counted:
            parts = (
                1 if not (first | (past - first)) & (past - first - 1) else _parts(first, past)
                for first, past in self.intervals()
            )
            self._counted[:] = [sum(parts)]
        return self._counted[0]

    def prefixes(self) -> list[Prefix]:
        """Return the fewest prefixes that make up the set, ascending."""
        return [Prefix(self.family, *pair) for pair in zip(*self.split(), strict=True)]


def _between(bounds: tuple[int, ...], first: int, past: int) -> tuple[int, ...]:
    """Return the bounds of what a set has between two addresses."""
    begin, end = bisect_right(bounds, first), bisect_left(bounds, past)
    inner = bounds[begin:end]
    if begin & 1:  # an interval holds the first address
        inner = (first, *inner)
    return (*inner, past) if end & 1 else inner


def _has_any(bounds: tuple[int, ...], first: int, past: int) -> bool:
    """Whether a set with these bounds has an address of an interval."""
    at = bisect_right(bounds, first)
    return bool(at & 1) or (at < len(bounds) and bounds[at] < past)


def _parts(first: int, past: int) -> int:
    """Return how many prefixes make up an interval that is more than one."""
    width = (first ^ (past - 1)).bit_length() - 1
    middle = (past - 1) >> width << width
    return (middle - first).bit_count() + (past - middle).bit_count()


@dataclass(frozen=True, slots=True)
class AddressSpace:
    """Addresses of both families, as in a list or a rule."""

    ipv4: PrefixSet = PrefixSet(Family.IPV4)
    ipv6: PrefixSet = PrefixSet(Family.IPV6)

    @classmethod
    def of(cls, prefixes: Iterable[Prefix]) -> AddressSpace:
        """Return the union of prefixes of either family."""
        known = tuple(prefixes)
        return cls(PrefixSet.of(Family.IPV4, known), PrefixSet.of(Family.IPV6, known))

    @classmethod
    def union(cls, parts: Iterable[AddressSpace]) -> AddressSpace:
        """Return the union of any number of address spaces."""
        known = tuple(parts)
        return cls(
            PrefixSet.union(Family.IPV4, (part.ipv4 for part in known)),
            PrefixSet.union(Family.IPV6, (part.ipv6 for part in known)),
        )

    def __getitem__(self, family: Family) -> PrefixSet:
        return self.ipv4 if family is Family.IPV4 else self.ipv6

    def __or__(self, other: AddressSpace) -> AddressSpace:
        return AddressSpace(self.ipv4 | other.ipv4, self.ipv6 | other.ipv6)

    def __sub__(self, other: AddressSpace) -> AddressSpace:
        return AddressSpace(self.ipv4 - other.ipv4, self.ipv6 - other.ipv6)

    def __and__(self, other: AddressSpace) -> AddressSpace:
        return AddressSpace(self.ipv4 & other.ipv4, self.ipv6 & other.ipv6)

    def without(self, other: AddressSpace) -> AddressSpace:
        """Return the difference, without work if the spaces share no address."""
        return AddressSpace(self.ipv4.without(other.ipv4), self.ipv6.without(other.ipv6))

    def meets(self, other: AddressSpace) -> bool:
        """Whether the spaces share an address; fast if one of them is small."""
        return self.ipv4.meets(other.ipv4) or self.ipv6.meets(other.ipv6)

    def __bool__(self) -> bool:
        return bool(self.ipv4) or bool(self.ipv6)
