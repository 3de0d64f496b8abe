"""Entries of ``hash:net`` sets as the kernel packs them in netlink messages.

All entries of one family have the same layout and length (``linux/netfilter/ipset/ip_set.h``): a
nested ``IPSET_ATTR_DATA`` of an ``IPSET_ATTR_IP`` nest with the address in network order and an
``IPSET_ATTR_CIDR`` byte. So a whole message is a template repeated, and addresses and lengths are
two columns of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import add

from geofence.backends.ipset.elements import CIDR, DATA, IP
from geofence.backends.ipset.shapes import MESSAGE_LIMIT
from geofence.model.frozen import dataclass
from geofence.model.prefixes import Family, PrefixSet, pack_networks, unpack_addresses
from geofence.netlink.attributes import NET_BYTEORDER, as_number, attribute, each, nested, values
from geofence.netlink.columns import put, same_rows, take

# linux/netfilter/ipset/ip_set.h: enum IPSET_ATTR_*
_CADT_FLAGS = 8
_FLAG_NOMATCH = 1 << 2


@dataclass(frozen=True, slots=True)
class _Layout:
    template: bytes
    """One entry with address and length zero, as it is sent."""
    answer: bytes
    """The same as the kernel lists it: without the flag that says network order."""
    address_at: int
    address_length: int
    cidr_at: int

    @classmethod
    def of(cls, family: Family) -> _Layout:
        address_type = 1 if family is Family.IPV4 else 2
        sent = cls._entry(family, address_type | NET_BYTEORDER)
        answer = cls._entry(family, address_type)
        return cls(sent, answer, 12, family.bits // 8, len(sent) - 4)

    @staticmethod
    def _entry(family: Family, address_type: int) -> bytes:
        address = attribute(address_type, bytes(family.bits // 8))
        return nested(DATA, nested(IP, address), attribute(CIDR, b"\0"))


_LAYOUTS = {family: _Layout.of(family) for family in Family}


_SIZES = {family: [1 << at for at in range(family.bits, -1, -1)] for family in Family}
"""Number of addresses of a prefix by its length."""


def pack_entries(family: Family, networks: Sequence[int], lengths: Sequence[int]) -> list[bytes]:
    """Return prefixes as contents of ``IPSET_ATTR_ADT`` attributes, one for each message."""
    layout = _LAYOUTS[family]
    size = len(layout.template)
    packed = bytearray(layout.template * len(networks))
    addresses = pack_networks(family, networks, max(lengths, default=0))
    put(packed, size, layout.address_at, layout.address_length, addresses)
    put(packed, size, layout.cidr_at, 1, bytes(lengths))
    step = MESSAGE_LIMIT // size * size
    return [bytes(packed[at : at + step]) for at in range(0, len(packed), step)]


def listed_entries(family: Family, sent: bytes) -> bytes:
    """Return entries that were sent as the kernel lists them."""
    layout = _LAYOUTS[family]
    size = len(layout.template)
    rows = bytearray(sent)
    for at, (before, after) in enumerate(zip(layout.template, layout.answer, strict=True)):
        if before != after:
            rows[at::size] = bytes((after,)) * (len(sent) // size)
    return bytes(rows)


def are_same_entries(family: Family, known: bytes, listed: bytes) -> bool:
    """Whether the kernel lists just these entries, in whatever order."""
    return same_rows(known, listed, len(_LAYOUTS[family].answer))


def unpack_entries(family: Family, packed: bytes) -> PrefixSet:
    """Return the addresses that one message's entries stand for.

    Raises:
        ValueError: an entry is not one of a ``hash:net`` set of that family.
    """
    layout = _LAYOUTS[family]
    size = len(layout.template)
    count, rest = divmod(len(packed), size)
    if rest or not _follows_template(layout, packed, count):
        return _unpack_one_by_one(family, packed)
    addresses = take(packed, size, layout.address_at, layout.address_length)
    lengths = take(packed, size, layout.cidr_at, 1)
    return _as_set(family, unpack_addresses(family, addresses), lengths)


def _follows_template(layout: _Layout, packed: bytes, count: int) -> bool:
    """Whether all entries have the usual layout: no flags, counters or time-outs."""
    size = len(layout.answer)
    values = {layout.cidr_at, *range(layout.address_at, layout.address_at + layout.address_length)}
    return all(
        packed[at::size] == layout.answer[at : at + 1] * count
        for at in range(size)
        if at not in values
    )


def _as_set(family: Family, networks: list[int], lengths: Iterable[int]) -> PrefixSet:
    try:
        sizes = map(_SIZES[family].__getitem__, lengths)
        pasts = list(map(add, networks, sizes))
    except IndexError as error:
        raise ValueError("an entry with a prefix longer than an address") from error
    return PrefixSet.of_ranges(family, networks, pasts)


def _unpack_one_by_one(family: Family, packed: bytes) -> PrefixSet:
    """Return the addresses of entries with time-outs, counters or ``nomatch``."""
    parts: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
    for _, entry in each(packed):
        attributes = values(entry)
        address = [value for _, value in each(attributes.get(IP, b""))]
        length = attributes.get(CIDR)
        if not address or not length:
            raise ValueError("an entry without address or prefix length")
        flags = as_number(attributes.get(_CADT_FLAGS))
        parts[bool(flags & _FLAG_NOMATCH)].append((as_number(address[0]), length[0]))
    matching, excluded = (
        _as_set(family, [network for network, _ in pairs], [length for _, length in pairs])
        for pairs in (parts[False], parts[True])
    )
    return matching - excluded
