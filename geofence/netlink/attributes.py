"""Netlink attributes: type, length and value, padded to four bytes (``linux/netlink.h``).

Integers are in network order, as all of netfilter wants them.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

_HEADER = Struct("=HH")
"""``struct nlattr``: length with the header but without the padding, type; in host order."""
_SIZE = _HEADER.size
_pack, _unpack = _HEADER.pack, _HEADER.unpack_from
_PADDING = tuple(bytes(-length % 4) for length in range(4))
"""What comes behind a value, by what its length leaves when divided by four."""
_CUT_SHORT = "a netlink attribute is cut short"
NESTED = 0x8000
"""``NLA_F_NESTED``: the value is made of attributes."""
NET_BYTEORDER = 0x4000
"""``NLA_F_NET_BYTEORDER``: the value is in network order; where it is not always, as in ipset."""
TYPE_MASK = 0x3FFF
LONGEST = 0xFFFF
"""The longest attribute in bytes, with its header: the length has 16 bits."""

Span = tuple[int, int]
"""Where a value begins and where it ends in the data that it is part of."""


class MalformedError(ValueError):
    """A message or attribute that is cut short."""


def padded(length: int) -> int:
    """Return a length rounded up to four bytes (``NLA_ALIGN``, ``NLMSG_ALIGN``)."""
    return (length + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded."""
    length = _SIZE + len(value)
    return _pack(length, kind) + value + _PADDING[length & 3]


def nested(kind: int, *parts: bytes) -> bytes:
    """Return an attribute whose value is made of attributes."""
    return attribute(kind | NESTED, b"".join(parts))


def string(kind: int, value: str) -> bytes:
    """Return a string attribute, with the zero byte that ends it."""
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int, width: int = 4) -> bytes:
    """Return an integer attribute of that many bytes; a negative one as its two's complement."""
    return attribute(kind, (value & ((1 << 8 * width) - 1)).to_bytes(width, "big"))


def spans(data: bytes, at: int, end: int) -> dict[int, Span]:
    """Return where the value of each type without flags lies; of a type that recurs, the last.

    For messages by the hundred thousand: nothing is copied but what is looked at, and the loop is
    that of ``each`` written out, since a generator costs a quarter of all the reading.

    Raises:
        MalformedError: one is cut short.
    """
    found: dict[int, Span] = {}
    while end - at >= _SIZE:
        length, kind = _unpack(data, at)
        if not _SIZE <= length <= end - at:
            raise MalformedError(_CUT_SHORT)
        found[kind & TYPE_MASK] = (at + _SIZE, at + length)
        at += (length + 3) & ~3
    return found


def each(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the attributes in their order: type without flags, value without padding.

    Fewer bytes than a header takes are padding, as they are to the kernel (``nla_ok``).

    Raises:
        MalformedError: one is cut short.
    """
    at, end = 0, len(data)
    while end - at >= _SIZE:
        length, kind = _unpack(data, at)
        if not _SIZE <= length <= end - at:
            raise MalformedError(_CUT_SHORT)
        yield kind & TYPE_MASK, data[at + _SIZE : at + length]
        at += padded(length)


def values(data: bytes) -> dict[int, bytes]:
    """Return the value of each type, without padding; of a type that recurs, the last.

    Raises:
        MalformedError: one is cut short.
    """
    found: dict[int, bytes] = {}
    at, end = 0, len(data)
    while end - at >= _SIZE:
        length, kind = _unpack(data, at)
        if not _SIZE <= length <= end - at:
            raise MalformedError(_CUT_SHORT)
        found[kind & TYPE_MASK] = data[at + _SIZE : at + length]
        at += (length + 3) & ~3
    return found


def as_number(value: bytes | None) -> int:
    """Return an unsigned integer of any length; zero for an attribute that is not there."""
    return int.from_bytes(value or b"", "big")


def as_string(value: bytes | None) -> str:
    """Return a string up to the zero byte that ends it; empty for one that is not there."""
    return (value or b"").partition(b"\0")[0].decode(errors="backslashreplace")
