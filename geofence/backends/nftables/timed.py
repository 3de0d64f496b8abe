"""Elements of runtime sets: intervals with a time-out and counters.

Overlapping prefixes are cut into intervals without overlaps before they come here, since the kernel
takes no others. As it lists them, an interval may have lost its end: when the first address has
timed out and is not cleaned up yet.

Source: ``nf_tables_fill_setelem`` in ``net/netfilter/nf_tables_api.c``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from geofence.backends.nftables import uapi
from geofence.backends.nftables.elements import END, LIST_HEADER, OPEN
from geofence.backends.nftables.uapi import ElementAttribute, ElementFlag, Expression
from geofence.model.elements import FOR_EVER, Element, Span
from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family, PrefixSet
from geofence.netlink.attributes import (
    LONGEST,
    NESTED,
    as_number,
    attribute,
    each,
    nested,
    number,
    padded,
    string,
    values,
)


class Mark(NamedTuple):
    """One element as the kernel lists it: where an interval begins, or where one ends."""

    key: int
    begins: bool
    seconds: float | None = None
    packets: int = 0
    octets: int = 0


def encode(family: Family, spans: Iterable[Span], now: float) -> list[bytes]:
    """Return intervals that time out, in pieces that each fit one attribute.

    No interval is spread over two pieces (see ``elements.encode``).
    """
    return _pieces(
        _interval(family, span.first, span.past, _timeout(span.until, now)) for span in spans
    )


def encode_networks(family: Family, networks: Iterable[int]) -> list[bytes]:
    """Return elements of a set that has no intervals, to be removed."""
    return _pieces(_element(family, network, b"") for network in networks)


def encode_removal(family: Family, gone: Iterable[Element]) -> list[bytes]:
    """Return intervals to be removed."""
    return _pieces(_interval(family, each.first, each.past, b"") for each in gone)


def decode(family: Family, pieces: Sequence[bytes]) -> list[Element]:
    """Return the intervals of a set, in ascending order."""
    marks = sorted(each_mark(family, b"".join(pieces)), key=lambda mark: (mark.key, mark.begins))
    ends = iter([mark.key for mark in marks if not mark.begins])
    top = 1 << family.bits
    found: list[Element] = []
    end = next(ends, top)
    for mark in marks:
        if mark.begins:
            while end <= mark.key:
                end = next(ends, top)
            found.append(Element(mark.key, end, mark.seconds, mark.packets, mark.octets))
    return found


def addresses(family: Family, pieces: Sequence[bytes]) -> PrefixSet:
    """Return all addresses in a set."""
    found = decode(family, pieces)
    return PrefixSet.of_ranges(family, [e.first for e in found], [e.past for e in found])


def _timeout(until: float, now: float) -> bytes:
    if until == FOR_EVER:
        return b""
    milliseconds = max(int((until - now) * 1000), 1)
    return number(ElementAttribute.TIMEOUT, milliseconds, 8)


def _interval(family: Family, first: int, past: int, timeout: bytes) -> bytes:
    if past == 1 << family.bits:
        return _element(family, first, timeout + OPEN)
    return _element(family, first, timeout) + _element(family, past, END)


def _element(family: Family, key: int, more: bytes) -> bytes:
    value = attribute(uapi.DATA_VALUE, key.to_bytes(family.bits // 8, "big"))
    return nested(uapi.LIST_ELEM, nested(ElementAttribute.KEY, value) + more)


def _pieces(intervals: Iterable[bytes]) -> list[bytes]:
    pieces: list[bytes] = []
    piece: list[bytes] = []
    size = 0
    for interval in intervals:
        if size + len(interval) > LONGEST - LIST_HEADER:
            pieces.append(b"".join(piece))
            piece, size = [], 0
        piece.append(interval)
        size += len(interval)
    return [*pieces, b"".join(piece)] if piece else pieces


def each_mark(family: Family, data: bytes) -> Iterator[Mark]:
    """Yield elements: by a pattern those as this kernel writes them, the others one by one."""
    if not data:
        return
    at = 0
    pattern = _pattern(family)
    while at < len(data):
        found = pattern.match(data, at)
        if found is None:
            length = int.from_bytes(data[at : at + 2], sys.byteorder)
            step = max(padded(length), LIST_HEADER)
            yield from (_mark(element) for _, element in each(data[at : at + step]))
            at += step
        else:
            yield _matched(found)
            at = found.end()


def _matched(found: re.Match[bytes]) -> Mark:
    key, octets, packets, left, end = found.group("key", "octets", "packets", "left", "end")
    seconds = None if left is None else as_number(left) / 1000
    return Mark(as_number(key), end is None, seconds, as_number(packets), as_number(octets))


def _mark(element: bytes) -> Mark:
    attributes = values(element)
    key = values(attributes.get(ElementAttribute.KEY, b"")).get(uapi.DATA_VALUE)
    flags = as_number(attributes.get(ElementAttribute.FLAGS))
    left = attributes.get(ElementAttribute.EXPIRATION)
    counted = values(attributes.get(ElementAttribute.EXPRESSION, b"")).get(Expression.DATA, b"")
    count = values(counted)
    return Mark(
        as_number(key),
        not flags & ElementFlag.INTERVAL_END,
        None if left is None else as_number(left) / 1000,
        as_number(count.get(uapi.Counter.PACKETS)),
        as_number(count.get(uapi.Counter.BYTES)),
    )


_LISTED = rb"..\x01[\x00\x80]" if sys.byteorder == "little" else rb"..[\x00\x80]\x01"
"""The header of an element, of whatever length."""


@cache
def _pattern(family: Family) -> re.Pattern[bytes]:
    """Return the pattern of an element in the order in which the kernel writes its attributes."""
    octets = family.bits // 8
    key = _head(ElementAttribute.KEY, 4 + octets) + _head(uapi.DATA_VALUE, octets)
    name = re.escape(string(Expression.NAME, "counter"))
    counts = _number(uapi.Counter.BYTES, b"octets") + _number(uapi.Counter.PACKETS, b"packets")
    counter = (
        _head(ElementAttribute.EXPRESSION, 12 + 28) + name + _head(Expression.DATA, 24) + counts
    )
    return re.compile(
        b"".join(
            (
                _LISTED,
                key + rb"(?P<key>.{%d})" % octets,
                rb"(?:" + counter + rb")?",
                rb"(?P<end>" + re.escape(END) + rb")?",
                rb"(?:" + _number(ElementAttribute.TIMEOUT, b"timeout") + rb")?",
                rb"(?:" + _number(ElementAttribute.EXPIRATION, b"left") + rb")?",
                rb"(?=" + _LISTED + rb"|\Z)",
            )
        ),
        re.DOTALL,
    )


def _number(kind: int, name: bytes) -> bytes:
    return _head(kind, 8) + rb"(?P<" + name + rb">.{8})"


def _head(kind: int, size: int) -> bytes:
    """Return the pattern of an attribute's header; older kernels do not say that it is nested."""
    plain, flagged = (
        re.escape(attribute(each, bytes(size))[:LIST_HEADER]) for each in (kind, kind | NESTED)
    )
    return rb"(?:" + plain + rb"|" + flagged + rb")"
