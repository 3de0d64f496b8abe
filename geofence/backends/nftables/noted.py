"""Elements of sets that the kernel itself fills, read as columns.

They are by the ten thousand and nearly all alike. Some may have a time-out of their own, so they
are sorted by their length first.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator, Mapping, Sequence

from geofence.backends.nftables import uapi
from geofence.backends.nftables.kernel_sets import PART_BYTE, PARTS
from geofence.backends.nftables.uapi import ElementAttribute, Expression
from geofence.model.elements import Noted
from geofence.model.prefixes import Family, unpack_addresses
from geofence.model.sets import MOST_NOTED
from geofence.netlink.attributes import LONGEST, MalformedError, Span, padded, spans
from geofence.netlink.columns import alike, take

_HEADER = 4
_KEY, _LEFT, _PACKETS, _OCTETS = "key", "left", "packets", "octets"


def decode_noted(family: Family, pieces: Sequence[bytes], *, times: bool = True) -> Noted:
    """Return the elements of a set that has no intervals.

    Args:
        family: the set's.
        pieces: its elements as the kernel lists them.
        times: whether to tell how long each stays.

    Raises:
        MalformedError: one is cut short.
    """
    data = b"".join(pieces)
    return Noted.joined(
        [_columns(family, rows, step, times=times) for rows, step in _by_length(data)]
    )


def pieces_of_part(family: Family, pieces: Sequence[bytes], part: int) -> list[bytes]:
    """Return the elements of one part, as many as it can hold, in pieces for one attribute each.

    Raises:
        MalformedError: one is cut short.
    """
    found: list[bytes] = []
    for rows, step in _by_length(b"".join(pieces)):
        begin, _ = _fields(rows[:step])[_KEY]
        telling = rows[begin + PART_BYTE[family] :: step]
        places = (at * step for at, byte in enumerate(telling) if byte % PARTS == part)
        found += [rows[at : at + step] for at in places]
    del found[MOST_NOTED // PARTS :]
    longest = max(map(len, found), default=1)
    number = LONGEST // longest
    return [b"".join(found[at : at + number]) for at in range(0, len(found), number)]


def _by_length(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield elements of one length each, one after the other, with that length."""
    if not data:
        return
    step = _length(data, 0)
    if data[::step] == data[:1] * (len(data) // step) and not len(data) % step:
        yield data, step  # or so it seems; ``_columns`` looks at every byte
        return
    places: dict[int, list[int]] = {}
    at = 0
    while at < len(data):
        step = _length(data, at)
        places.setdefault(step, []).append(at)
        at += step
    for step, begins in places.items():
        yield b"".join([data[at : at + step] for at in begins]), step


def _length(data: bytes, at: int) -> int:
    length = padded(int.from_bytes(data[at : at + 2], sys.byteorder))
    if not _HEADER < length <= len(data) - at:
        raise MalformedError("an element is cut short")
    return length


def _columns(family: Family, rows: bytes, step: int, *, times: bool) -> Noted:
    count = len(rows) // step
    fields = _fields(rows[:step])
    if alike(rows, 0, step, fields.values()) < count:
        return _one_by_one(family, rows)
    begin, past = fields.get(_KEY, (0, 0))
    if past - begin != family.bits // 8:
        raise MalformedError("an element of another family")

    def numbers(name: str) -> Sequence[int]:
        if name not in fields:
            return (0,) * count
        return struct.unpack(f">{count}Q", take(rows, step, fields[name][0], 8))

    return Noted(
        unpack_addresses(family, take(rows, step, begin, past - begin)),
        [left / 1000 for left in numbers(_LEFT)] if times else (),
        numbers(_PACKETS),
        numbers(_OCTETS),
    )


def _fields(element: bytes) -> Mapping[str, Span]:
    """Return where the values that differ lie in an element."""
    inside = spans(element, _HEADER, len(element))
    found: dict[str, Span] = {}
    if ElementAttribute.KEY in inside:
        keys = spans(element, *inside[ElementAttribute.KEY])
        found[_KEY] = keys[uapi.DATA_VALUE]
    if ElementAttribute.EXPIRATION in inside:
        found[_LEFT] = inside[ElementAttribute.EXPIRATION]
    if ElementAttribute.EXPRESSION in inside:
        counter = spans(element, *inside[ElementAttribute.EXPRESSION])
        if Expression.DATA in counter:
            counts = spans(element, *counter[Expression.DATA])
            kinds = {_PACKETS: uapi.Counter.PACKETS, _OCTETS: uapi.Counter.BYTES}
            found |= {name: counts[kind] for name, kind in kinds.items() if kind in counts}
    return found


def _one_by_one(family: Family, rows: bytes) -> Noted:
    from geofence.backends.nftables import timed

    marks = list(timed.each_mark(family, rows))
    return Noted(
        [mark.key for mark in marks],
        [mark.seconds or 0 for mark in marks],
        [mark.packets for mark in marks],
        [mark.octets for mark in marks],
    )
