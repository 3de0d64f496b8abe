"""Netlink attributes: type, length and value, padded to four bytes (``linux/netlink.h``).

Integers are in network order, as nf_tables wants them.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

HEADER = Struct("=HH")
"""``struct nlattr``: length with the header but without the padding, type; in host order."""
NESTED = 0x8000
"""``NLA_F_NESTED``: the value is made of attributes."""
TYPE_MASK = 0x3FFF
LONGEST = 0xFFFF
"""The longest attribute in bytes, with its header: the length has 16 bits."""


def padded(length: int) -> int:
    """``NLA_ALIGN``: the length rounded up to four bytes."""
    return (length + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    length = HEADER.size + len(value)
    return HEADER.pack(length, kind) + value + bytes(padded(length) - length)


def nested(kind: int, *parts: bytes) -> bytes:
    """An attribute whose value is made of attributes."""
    return attribute(kind | NESTED, b"".join(parts))


def string(kind: int, value: str) -> bytes:
    """A string with the zero byte that ends it."""
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int, octets: int = 4) -> bytes:
    """An unsigned integer of that many bytes, or a negative one as its two's complement."""
    return attribute(kind, (value & ((1 << 8 * octets) - 1)).to_bytes(octets, "big"))


def each(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in their order: type without flags, value without padding."""
    at = 0
    while at + HEADER.size <= len(data):
        length, kind = HEADER.unpack_from(data, at)
        yield kind & TYPE_MASK, data[at + HEADER.size : at + length]
        at += max(padded(length), HEADER.size)


def as_number(value: bytes | None) -> int:
    """An unsigned integer of any length; zero for an attribute that is not there."""
    return int.from_bytes(value or b"", "big")


def as_string(value: bytes | None) -> str:
    """A string up to the zero byte that ends it; empty for an attribute that is not there."""
    return (value or b"").partition(b"\0")[0].decode(errors="backslashreplace")
