"""User data: what nft leaves with an object for itself, and prints the object by.

Each field is a byte for its type, one for its length, and its value. The kernel keeps them unread.
Sources: libnftnl's ``libnftnl/udata.h``; nftables' ``datatype.h``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

COMMENT = 0
"""``NFTNL_UDATA_{TABLE,RULE,OBJ}_COMMENT``."""
SET_KEY_BYTE_ORDER = 0
SET_COMMENT = 7
BIG_ENDIAN = 2
"""``BYTEORDER_BIG_ENDIAN``."""
ELEMENT_FLAGS = 1
INTERVAL_OPEN = 1
"""``SET_ELEM_F_INTERVAL_OPEN``: the interval has no end but the last address there is."""


def field(kind: int, value: bytes) -> bytes:
    """Return one field."""
    return bytes((kind, len(value))) + value


def flag(value: int) -> bytes:
    """Return an integer of four bytes in host order."""
    return value.to_bytes(4, sys.byteorder)


def comment(text: str, kind: int = COMMENT) -> bytes:
    """Return a field with a comment of at most 127 bytes and the zero byte that ends it."""
    return field(kind, text.encode() + b"\0")


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the fields in their order."""
    while len(data) > 1:
        kind, length = data[:2]
        yield kind, data[2 : 2 + length]
        data = data[2 + length :]
