"""Elements of an interval set: one where an interval begins, another where it ends.

The kernel finds the element with the largest key that is not above the address; the address is in
the set unless that element is an end. Whole sets are written and read in bulk, since the headers
are the same for all elements of a family.

Source: ``nft_add_set_elem`` and ``nf_tables_fill_setelem`` in ``net/netfilter/nf_tables_api.c``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from operator import lt

from geofence.backends.nftables import uapi, userdata
from geofence.backends.nftables.uapi import ElementAttribute, ElementFlag
from geofence.model.prefixes import Family, PrefixSet, pack_addresses, unpack_addresses
from geofence.netlink.attributes import (
    LONGEST,
    as_number,
    attribute,
    each,
    nested,
    number,
    values,
)
from geofence.netlink.columns import alike, put, take

LIST_HEADER = 4
END = number(ElementAttribute.FLAGS, ElementFlag.INTERVAL_END)
OPEN = attribute(
    ElementAttribute.USERDATA,
    userdata.field(userdata.ELEMENT_FLAGS, userdata.flag(userdata.INTERVAL_OPEN)),
)
"""What nft writes beside an interval that reaches up to the last address, to print it as such."""


EVERY_FAMILY = nested(
    uapi.LIST_ELEM, nested(ElementAttribute.KEY, attribute(uapi.DATA_VALUE, b"\0"))
) + nested(uapi.LIST_ELEM, nested(ElementAttribute.KEY, attribute(uapi.DATA_VALUE, b"\xff")) + END)
"""The elements of a set that every packet's family is in, ``NFPROTO_IPV4`` or ``NFPROTO_IPV6``."""


def hold_every_family(pieces: Sequence[bytes]) -> bool:
    """Whether these are just those elements, as the kernel lists them."""
    return _one_by_one(b"".join(pieces)) == ([0x00], [0xFF])


def encode(prefixes: PrefixSet) -> list[bytes]:
    """Return the elements of a set, in pieces that each fit one attribute.

    No interval is spread over two pieces: a kernel that checks for overlaps takes a piece's last
    element without an end for an interval that reaches up to the last address.
    """
    family = prefixes.family
    bounds = prefixes.bounds
    if not bounds:
        return []
    octets = family.bits // 8
    is_open = bounds[-1:] == (1 << family.bits,)
    closed = bounds[:-2] if is_open else bounds
    start, end = _head(family, b""), _head(family, END)
    template = start + bytes(octets) + end + bytes(octets) + END
    size, end_at = len(template), len(start) + octets + len(end)
    encoded = bytearray(template * (len(closed) // 2))
    put(encoded, size, len(start), octets, pack_addresses(family, closed[0::2]))
    put(encoded, size, end_at, octets, pack_addresses(family, closed[1::2]))
    if is_open:
        encoded += _head(family, OPEN) + bounds[-2].to_bytes(octets, "big") + OPEN
    return _pieces(encoded, size)


def encode_keys(family: Family, keys: Sequence[int]) -> list[bytes]:
    """Return the elements of a set without intervals, in pieces that each fit one attribute."""
    return encode_packed(family, pack_addresses(family, keys))


def encode_packed(family: Family, keys: bytes) -> list[bytes]:
    """Return the same of packed keys."""
    if not keys:
        return []
    octets = family.bits // 8
    head = _head(family, b"")
    size = len(head) + octets
    encoded = bytearray((head + bytes(octets)) * (len(keys) // octets))
    put(encoded, size, len(head), octets, keys)
    return _pieces(encoded, size)


def _pieces(encoded: bytearray, size: int) -> list[bytes]:
    """Return elements of one size, as many in a piece as fit; the last may be smaller."""
    step = (LONGEST - LIST_HEADER) // size * size
    return [bytes(encoded[at : at + step]) for at in range(0, len(encoded), step)]


def packed_keys(family: Family, pieces: Sequence[bytes]) -> bytes | None:
    """Return the keys of a set without intervals, packed, in whatever order.

    None: an element of another program's stands for all addresses that are none of the keys.
    """
    data = b"".join(pieces)
    octets = family.bits // 8
    step = len(_head(family, b"")) + octets
    at = step - octets
    if _begins(family, b"", data, 0) and alike(data, 0, step, [(at, step)]) * step == len(data):
        return take(data, step, at, octets)
    found = [values(element) for _, element in each(data)]
    if any(as_number(e.get(ElementAttribute.FLAGS)) & ElementFlag.CATCHALL for e in found):
        return None
    keys = (values(element.get(ElementAttribute.KEY, b"")) for element in found)
    return b"".join(key.get(uapi.DATA_VALUE, bytes(octets)) for key in keys)


def decode(family: Family, pieces: Sequence[bytes]) -> PrefixSet:
    """Return the set that elements make up, in whatever order and however they were written."""
    data = b"".join(pieces)
    if not data:
        return PrefixSet(family)
    starts, ends = _columns(family, data) or _bulk(family, data) or _one_by_one(data)
    starts.sort()
    ends.sort()
    usual = _as_usual(family, starts, ends)
    return _as_the_kernel_looks(family, starts, ends) if usual is None else usual


@cache
def _head(family: Family, after: bytes) -> bytes:
    """Return all of an element that comes before its key's value, given what comes after."""
    key = nested(ElementAttribute.KEY, attribute(uapi.DATA_VALUE, bytes(family.bits // 8)))
    element = nested(uapi.LIST_ELEM, key + after)
    return element[: len(element) - family.bits // 8 - len(after)]


@cache
def _pattern(family: Family) -> re.Pattern[bytes]:
    """Return the pattern of a start or an end as the kernel lists them."""
    octets = family.bits // 8
    forms = (
        _listed_head(family, after) + b"(.{%d})" % octets + re.escape(after) for after in (b"", END)
    )
    return re.compile(b"|".join(forms), re.DOTALL)


def _listed_head(family: Family, after: bytes) -> bytes:
    head = re.escape(_head(family, after))
    mark = re.escape(b"\x01\x80")
    return head.replace(mark, b"\x01[\x00\x80]")


_LENGTHS = {
    family: tuple(len(_head(family, after)) + family.bits // 8 + len(after) for after in (b"", END))
    for family in Family
}


def _begins(family: Family, after: bytes, data: bytes, at: int) -> bool:
    """Whether an element with this after its key begins at a place."""
    head = _head(family, after)
    past = at + len(head) + family.bits // 8
    same = _unmarked(data[at : at + len(head)]) == _unmarked(head)
    return same and data[past : past + len(after)] == after


def _unmarked(head: bytes) -> bytes:
    """Return what is before a key as the kernel lists it: it marks not all that is nested."""
    return head.replace(b"\x01\x80", b"\x01\x00")


def _columns(family: Family, data: bytes) -> tuple[list[int], list[int]] | None:
    """Return keys of starts and of ends where these take turns, as in most sets; else None."""
    octets = family.bits // 8
    start, end = _LENGTHS[family]
    step = start + end
    for first, second in ((END, b""), (b"", END)):
        at = len(_head(family, first))
        beside = at + octets + len(first) + len(_head(family, second))
        behind = at + octets + len(first)
        if _begins(family, first, data, 0) and _begins(family, second, data, behind):
            fields = [(at, at + octets), (beside, beside + octets)]
            if alike(data, 0, step, fields) * step != len(data):
                return None
            one, other = (unpack_addresses(family, take(data, step, f, octets)) for f, _ in fields)
            return (other, one) if first else (one, other)
    return None


def _bulk(family: Family, data: bytes) -> tuple[list[int], list[int]] | None:
    """Return keys of starts and of ends; None if an element has more than a key."""
    found = _pattern(family).findall(data)
    starts = [int.from_bytes(start, "big") for start, end in found if start]
    ends = [int.from_bytes(end, "big") for start, end in found if end]
    start, end = _LENGTHS[family]
    complete = start * len(starts) + end * len(ends) == len(data)
    return (starts, ends) if complete else None


def _one_by_one(data: bytes) -> tuple[list[int], list[int]]:
    """Return the same of elements with comments, counters, time-outs or anything else."""
    starts: list[int] = []
    ends: list[int] = []
    for _, element in each(data):
        attributes = values(element)
        flags = as_number(attributes.get(ElementAttribute.FLAGS))
        key = as_number(values(attributes.get(ElementAttribute.KEY, b"")).get(uapi.DATA_VALUE))
        if flags & ElementFlag.CATCHALL:
            # Stands for every address that no interval holds: all are in the set.
            return [0], []
        (ends if flags & ElementFlag.INTERVAL_END else starts).append(key)
    return starts, ends


def _as_usual(family: Family, starts: list[int], ends: list[int]) -> PrefixSet | None:
    """Return the set if starts and ends alternate as geofence and nft write them, or None."""
    top = 1 << family.bits
    # nft marks the first address as the end of nothing.
    ends = ends[1:] if ends[:1] == [0] else ends
    ends = [*ends, top] if len(ends) == len(starts) - 1 else ends
    if len(starts) != len(ends):
        return None
    if not all(map(lt, starts, ends)) or not all(map(lt, ends, starts[1:])):
        return None
    return PrefixSet.of_ranges(family, starts, ends)


def _as_the_kernel_looks(family: Family, starts: list[int], ends: list[int]) -> PrefixSet:
    """Return the set by what the kernel finds for each address; a start comes before an end."""
    marks = dict.fromkeys(ends, False) | dict.fromkeys(starts, True)
    spans = list(_spans(sorted(marks.items()), 1 << family.bits))
    return PrefixSet.of_ranges(family, [first for first, _ in spans], [past for _, past in spans])


def _spans(marks: Sequence[tuple[int, bool]], top: int) -> Iterator[tuple[int, int]]:
    """Yield the span from each start to the next element, whatever that is."""
    following = [*(key for key, _ in marks), top][1:]
    for (key, starts), past in zip(marks, following, strict=True):
        if starts:
            yield key, past
