"""Elements of runtime sets as the kernel packs them: entries with a time-out and counters.

Layouts: ``linux/netfilter/ipset/ip_set.h``. The kernel writes all entries of a set alike, so most
of them are read as columns.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from geofence.backends.ipset.shapes import MESSAGE_LIMIT
from geofence.model.elements import Element, Noted
from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import (
    Family,
    Prefix,
    PrefixSet,
    pack_addresses,
    pack_networks,
    unpack_addresses,
)
from geofence.netlink.attributes import NET_BYTEORDER, Span, attribute, nested, number, spans
from geofence.netlink.columns import alike, put, take

DATA = 7
IP = 1
CIDR = 3
_IP_TO = 2
_TIMEOUT = 6
_BYTES = 24
_PACKETS = 25
_HEADER = 4
_FIRST_AT = 12
"""Where the first address of an entry begins, behind the headers of what it is nested in."""
_WIDEST = 1 << 30
"""Addresses of a range. Of one that is twice as wide, the kernel takes nothing, as it tells which
of two addresses comes first by the sign of their difference (``bitmap_ip_uadt``)."""
_LEAST = 12
"""Bytes of the headers of an entry, of its address and of that address's value."""


def pack_timed(family: Family, timed: Sequence[tuple[Prefix, int]]) -> list[bytes]:
    """Return prefixes with the seconds that each stays, 0 for ever, one part for each message."""
    packed = [
        nested(
            DATA,
            _address(IP, family, network),
            attribute(CIDR, bytes((length,))),
            number(_TIMEOUT | NET_BYTEORDER, seconds),
        )
        for (_, network, length), seconds in timed
    ]
    step = MESSAGE_LIMIT // len(packed[0]) if packed else 1
    return [b"".join(packed[at : at + step]) for at in range(0, len(packed), step)]


def pack_tested(family: Family, address: int) -> bytes:
    """Return an address that the kernel is to look for; without a length, in all prefixes."""
    return nested(DATA, _address(IP, family, address))


def pack_ranges(family: Family, ranges: Iterable[tuple[int, int]]) -> list[bytes]:
    """Return half-open ranges for a set with a bit a network, one part for each message."""
    firsts: list[int] = []
    lasts: list[int] = []
    for first, past in ranges:
        begins = range(first, past, _WIDEST)
        firsts += begins
        lasts += (min(past, begin + _WIDEST) - 1 for begin in begins)
    octets = family.bits // 8
    row = nested(DATA, _address(IP, family, 0), _address(_IP_TO, family, 0))
    rows = bytearray(row * len(firsts))
    for at, column in ((_FIRST_AT, firsts), (len(row) - octets, lasts)):
        put(rows, len(row), at, octets, pack_addresses(family, column))
    step = MESSAGE_LIMIT // len(row) * len(row)
    return [bytes(rows[at : at + step]) for at in range(0, len(rows), step)]


def _address(kind: int, family: Family, address: int) -> bytes:
    packed = address.to_bytes(family.bits // 8, "big")
    return nested(kind, attribute(_address_type(family), packed))


def _address_type(family: Family, order: int = NET_BYTEORDER) -> int:
    return (1 if family is Family.IPV4 else 2) | order


def unpack_elements(family: Family, packed: bytes, length: int) -> list[Element]:
    """Return entries with their times and counts.

    Args:
        family: the set's.
        packed: values of ``IPSET_ATTR_ADT``.
        length: of the prefix that an entry without a length stands for.

    Raises:
        ValueError: an entry is not one of that family.
    """
    return list(_elements(family, packed, length))


def unpack_networks(
    family: Family, packed: bytes, length: int, known: PrefixSet | None = None
) -> PrefixSet:
    """Return the networks of a prefilter.

    Args:
        family: the set's.
        packed: values of ``IPSET_ATTR_ADT``.
        length: of the prefix that an entry without a length stands for.
        known: what it may hold: it is not decoded then, if the kernel lists it in order.

    Raises:
        ValueError: an entry is not one of that family.
    """
    firsts: list[int] = []
    pasts: list[int] = []
    if known is not None and packed == _listed_bits(known, length):
        return known
    for run in _runs(packed):
        begin, end = run.bounds(family, length)
        firsts += begin
        pasts += end
    return PrefixSet.of_ranges(family, firsts, pasts)


@lru_cache(maxsize=8)
def _listed_bits(networks: PrefixSet, length: int) -> bytes:
    """Return what the kernel lists of a set with a bit a network; services share many."""
    family, step = networks.family, 1 << (networks.family.bits - length)
    found = [at for bounds in networks.intervals() for at in range(*bounds, step)]
    width = family.bits // 8
    entry = nested(DATA, nested(IP, attribute(_address_type(family, 0), bytes(width))))
    rows = bytearray(entry * len(found))
    put(rows, len(entry), _FIRST_AT, width, pack_networks(family, found, length))
    return bytes(rows)


def unpack_noted(family: Family, packed: bytes, *, times: bool) -> Noted:
    """Return entries of a set of addresses, as columns.

    Args:
        family: the set's.
        packed: values of ``IPSET_ATTR_ADT``.
        times: whether to tell how long each stays.

    Raises:
        ValueError: an entry is not one of that family.
    """
    parts = [
        Noted(
            run.firsts(family),
            run.numbers(_TIMEOUT, "I") if times else (),
            run.numbers(_PACKETS, "Q"),
            run.numbers(_BYTES, "Q"),
        )
        for run in _runs(packed)
    ]
    return Noted.joined(parts)


def _elements(family: Family, packed: bytes, length: int) -> Iterator[Element]:
    for run in _runs(packed):
        firsts, pasts = run.bounds(family, length)
        left = (seconds or None for seconds in run.numbers(_TIMEOUT, "I"))
        packets, octets = run.numbers(_PACKETS, "Q"), run.numbers(_BYTES, "Q")
        yield from map(Element, firsts, pasts, left, packets, octets)


class _Run(NamedTuple):
    """Entries of one layout, one after the other."""

    rows: bytes
    size: int
    """Bytes of an entry."""
    fields: Mapping[int, Span]
    """Where in an entry the value of each attribute lies."""

    @property
    def length(self) -> int:
        return len(self.rows) // self.size

    def numbers(self, kind: int, form: str, default: int = 0) -> Sequence[int]:
        """Return the value of an attribute in all entries; the default where it is missing."""
        if kind not in self.fields:
            return (default,) * self.length
        return struct.unpack(f">{self.length}{form}", self._column(kind))

    def firsts(self, family: Family) -> list[int]:
        """Return the first address of each."""
        begin, past = self.fields[IP]
        if past - begin != family.bits // 8:
            raise ValueError("an entry of another family")
        return unpack_addresses(family, self._column(IP))

    def bounds(self, family: Family, length: int) -> tuple[list[int], list[int]]:
        """Return the first address of each, and the one after its last."""
        firsts = self.firsts(family)
        if CIDR not in self.fields:
            size = 1 << (family.bits - length)
            return firsts, [first + size for first in firsts]
        lengths = self.numbers(CIDR, "B", length)
        sizes = {each: 1 << (family.bits - each) for each in set(lengths)}
        return firsts, [first + sizes[each] for first, each in zip(firsts, lengths, strict=True)]

    def _column(self, kind: int) -> bytes:
        begin, past = self.fields[kind]
        return take(self.rows, self.size, begin, past - begin)


def _runs(packed: bytes) -> Iterator[_Run]:
    at = 0
    while at < len(packed):
        size, fields = _layout(packed, at)
        rows = packed[at : at + alike(packed, at, size, fields.values()) * size]
        yield _Run(rows, size, fields)
        at += len(rows)


def _layout(packed: bytes, at: int) -> tuple[int, dict[int, Span]]:
    """Return the size of the entry at a place, and where its values lie in it."""
    length = int.from_bytes(packed[at : at + 2], sys.byteorder)
    if length < _LEAST or at + length > len(packed):
        raise ValueError("an entry that is cut short")
    entry = packed[at : at + length]
    found = spans(entry, _HEADER, length)
    if IP not in found:
        raise ValueError("an entry without an address")
    addresses = spans(entry, *found[IP])
    if len(addresses) != 1:
        raise ValueError("an entry without an address")
    fields = {kind: found[kind] for kind in (CIDR, _TIMEOUT, _BYTES, _PACKETS) if kind in found}
    return (length + 3) & ~3, {**fields, IP: next(iter(addresses.values()))}
