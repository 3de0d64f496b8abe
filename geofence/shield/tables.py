"""Tables of who might be allowed, coarsely: /24 networks of IPv4 and /32 networks of IPv6.

A table is one run of bytes. It begins with a bit for each value of the first 16 bits of an address:
whether anybody there is allowed. These 8 KiB stay in the processor's nearest cache, and most
attackers meet nothing else. Then comes a number of 16 bits for each such value: ``NOBODY``,
``EVERYBODY``, or 2 more than the number of a block. Blocks follow, with a bit for each value of the
next 8 bits (IPv4) or 16 bits (IPv6). What is in a table and allowed by nobody is harmless; what is
missing would be dropped although the fence passes it.
"""

from __future__ import annotations

import struct
import sys
from typing import NamedTuple

from geofence.model.prefixes import Family, PrefixSet

NOBODY, EVERYBODY = 0, 1
FIRST_BLOCK = 2
HEADS = 1 << 16
BITS_SIZE = HEADS >> 3
BLOCKS_AT = BITS_SIZE + 2 * HEADS
"""Where the numbers end and the blocks begin; the numbers begin at ``BITS_SIZE``."""
_HEAD_BITS = 16
BLOCK_BITS = {Family.IPV4: 8, Family.IPV6: 16}
"""Bits of an address that a block distinguishes."""
_MOST_BLOCKS = {Family.IPV4: HEADS - FIRST_BLOCK, Family.IPV6: 384}
"""Blocks beyond these would take more than 3 MB; their networks count as allowed whole."""


class Table(NamedTuple):
    """A table of one family."""

    family: Family
    content: bytes

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return (len(self.content) - BLOCKS_AT) >> (BLOCK_BITS[self.family] - 3)

    def holds(self, address: int) -> bool:
        """Whether the network around an address holds anybody, as the program finds it."""
        bits, below = self.family.bits, BLOCK_BITS[self.family]
        place = address >> (bits - _HEAD_BITS)
        if not self.content[place >> 3] >> (place & 7) & 1:
            return False
        at = BITS_SIZE + 2 * place
        head = int.from_bytes(self.content[at : at + 2], sys.byteorder)
        if head < FIRST_BLOCK:
            return head == EVERYBODY
        number = address >> (bits - _HEAD_BITS - below) & ((1 << below) - 1)
        place = BLOCKS_AT + ((head - FIRST_BLOCK) << (below - 3)) + (number >> 3)
        return bool(self.content[place] >> (number & 7) & 1)


def table_of(allowed: PrefixSet) -> Table:
    """Return the table of the networks that hold any address of a set."""
    family = allowed.family
    below = BLOCK_BITS[family]
    whole, blocks = _filled(allowed, below)
    everybody = (1 << (1 << below)) - 1
    heads = [NOBODY] * HEADS
    packed: list[bytes] = []
    for head in sorted(blocks):
        bits = blocks[head]
        if whole[head] or bits == everybody or len(packed) == _MOST_BLOCKS[family]:
            whole[head] = 1
        else:
            heads[head] = FIRST_BLOCK + len(packed)
            packed.append(bits.to_bytes(1 << (below - 3), "little"))
    for head, is_whole in enumerate(whole):
        if is_whole:
            heads[head] = EVERYBODY
    anybody = bytearray(BITS_SIZE)
    for place, head in enumerate(heads):
        if head != NOBODY:
            anybody[place >> 3] |= 1 << (place & 7)
    numbers = struct.pack(f"={HEADS}H", *heads)
    return Table(family, bytes(anybody) + numbers + b"".join(packed))


def _filled(allowed: PrefixSet, below: int) -> tuple[bytearray, dict[int, int]]:
    """Return which heads are allowed whole, and the bits of the blocks of others."""
    drop = allowed.family.bits - _HEAD_BITS - below
    mask = (1 << below) - 1
    whole, blocks = bytearray(HEADS), dict[int, int]()
    for first, past in allowed.intervals():
        low, high = first >> drop, (past - 1) >> drop
        head, last = low >> below, high >> below
        if head == last:
            ones = ((1 << (high - low + 1)) - 1) << (low & mask)
            blocks[head] = blocks.get(head, 0) | ones
            continue
        from_low = ((1 << (mask + 1)) - 1) & ~((1 << (low & mask)) - 1)
        blocks[head] = blocks.get(head, 0) | from_low
        blocks[last] = blocks.get(last, 0) | ((1 << ((high & mask) + 1)) - 1)
        whole[head + 1 : last] = b"\1" * (last - head - 1)
    return whole, blocks
