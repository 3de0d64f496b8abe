"""The shield's program: instructions as a pure function of its design.

It drops a packet only if all of this holds:

- the frame is for this host and has no tag;
- it is IPv4 without options that is no fragment, or IPv6 without extension headers, and UDP or TCP
  with a whole header;
- it is to a port of a shielded service, at an address of this host;
- its source is in no network of the table;
- conntrack knows no flow of it.

Everything else goes on to the fence. A sample of what it would drop is marked and goes on, too.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from geofence.model.policy import Protocol
from geofence.model.prefixes import Family
from geofence.shield.assembler import Assembler, Jump, Op, Register
from geofence.shield.counting import count_and_end, counter_index
from geofence.shield.design import Design
from geofence.shield.tables import BITS_SIZE, BLOCK_BITS, BLOCKS_AT, EVERYBODY, FIRST_BLOCK, NOBODY

ETHERNET = 14
"""Bytes of the link layer's header."""
UDP, TCP = Protocol.UDP.number, Protocol.TCP.number

_PKT_TYPE, _VLAN_PRESENT, _DATA, _DATA_END = 4, 20, 76, 80
"""Offsets in ``struct __sk_buff``."""
_PULL_DATA = 39
"""``bpf_skb_pull_data``."""
_IPV4_TYPE, _IPV6_TYPE = 0x0800, 0x86DD
_FOUR_AND_FIVE = 0x45
"""Version 4, and a header of five words: no options."""
_FRAGMENT = 0x3FFF
"""More fragments, or an offset."""
_OPTIONS_SIZE = 12
"""Bytes of ``struct bpf_ct_opts`` that all kernels know."""
_OPTIONS, _TUPLE_END = -16, -28
"""Where these and the look-up's tuple are on the stack."""

R = Register
_LEAST = {UDP: 8, TCP: 20}
"""Bytes of a header."""


class Functions(NamedTuple):
    """Functions of the kernel by their numbers in its type information."""

    lookup: int
    release: int
    in_module: bool = False
    """Whether they are a module's."""


class Maps(NamedTuple):
    """Descriptors of what the program reads and writes."""

    tables: dict[Family, int]
    blocks: dict[Family, int]
    """Number of blocks of each table."""
    counters: int


class _Layout(NamedTuple):
    """Where the fields are in a frame of a family."""

    family: Family
    length: int
    """The field that tells the length of what follows."""
    counted: int
    """Bytes of the header that it counts."""
    protocol: int
    source: int
    destination: int
    ports: int
    tuple_size: int
    """Bytes of the look-up's tuple."""

    @property
    def end(self) -> int:
        """Bytes that must be there: both ports and what follows them in UDP."""
        return self.ports + _LEAST[UDP]

    @property
    def address_size(self) -> int:
        """Bytes of an address."""
        return self.destination - self.source


_LAYOUTS = {
    Family.IPV4: _Layout(
        Family.IPV4, ETHERNET + 2, 20, ETHERNET + 9, ETHERNET + 12, ETHERNET + 16, ETHERNET + 20, 12
    ),
    Family.IPV6: _Layout(
        Family.IPV6, ETHERNET + 4, 0, ETHERNET + 6, ETHERNET + 8, ETHERNET + 24, ETHERNET + 40, 36
    ),
}


def program(made: Design, maps: Maps, functions: Functions, *, sample: int, mark: int) -> bytes:
    """Return the instructions.

    Args:
        made: what to drop, which is something: the kernel takes no code that is never reached.
        maps: the tables and counters.
        functions: those that ask conntrack.
        sample: one in so many is marked instead of dropped, a power of two; 0: none.
        mark: the bit that marks it.
    """
    code = Assembler()
    _begin(code)
    for family in Family:
        code.here(str(family))
        if made.family_addresses(family):
            _decide(code, _LAYOUTS[family], made, maps, functions)
        else:
            code.jump("pass")
    code.here("drop")
    count_and_end(code, made, maps.counters, sample, mark)
    _pull(code, Family.IPV4)
    if made.family_addresses(Family.IPV6):
        _pull(code, Family.IPV6)
    return code.assembled()


def _begin(code: Assembler) -> None:
    """Pass what is not for this host or tagged, and find the family."""
    code.register(Op.SET, R.CONTEXT, R.A1)
    for field in (_PKT_TYPE, _VLAN_PRESENT):
        code.load(R.A2, R.CONTEXT, field, 4)
        code.jump_if(R.A2, Jump.UNEQUAL, 0, "pass")
    _ensure(code, Family.IPV4)  # what is shorter is nothing to drop in either family
    code.load(R.A2, R.DATA, ETHERNET - 2, 2)
    code.jump_if(R.A2, Jump.EQUAL, _be16(_IPV6_TYPE), str(Family.IPV6))
    code.jump_if(R.A2, Jump.UNEQUAL, _be16(_IPV4_TYPE), "pass")


def _ensure(code: Assembler, family: Family) -> None:
    """Go on with a frame that has the headers of a family; they may lie outside its linear part."""
    _load_ends(code, _LAYOUTS[family].end)
    code.jump_if_register(R.A2, Jump.GREATER, R.END, f"pull-{family}")
    code.here(f"whole-{family}")


def _pull(code: Assembler, family: Family) -> None:
    """Make the headers linear; pass a frame that is shorter.

    This comes behind all else, since few frames need it.
    """
    size = _LAYOUTS[family].end
    code.here(f"pull-{family}")
    code.register(Op.SET, R.A1, R.CONTEXT)
    code.number(Op.SET, R.A2, size)
    code.call(_PULL_DATA)
    _load_ends(code, size)
    code.jump_if_register(R.A2, Jump.AT_MOST, R.END, f"whole-{family}")
    code.jump("pass")


def _load_ends(code: Assembler, size: int) -> None:
    code.load(R.DATA, R.CONTEXT, _DATA, 4)
    code.load(R.END, R.CONTEXT, _DATA_END, 4)
    code.register(Op.SET, R.A2, R.DATA)
    code.number(Op.ADD, R.A2, size)


def _decide(
    code: Assembler, layout: _Layout, made: Design, maps: Maps, functions: Functions
) -> None:
    """Go on at "drop" or "pass" for a packet of a family; ``END`` becomes its counter."""
    if layout.family is Family.IPV6:
        _ensure(code, layout.family)
    else:
        code.load(R.A2, R.DATA, ETHERNET, 1)
        code.jump_if(R.A2, Jump.UNEQUAL, _FOUR_AND_FIVE, "pass")
        code.load(R.A2, R.DATA, ETHERNET + 6, 2)
        code.jump_if(R.A2, Jump.ANY_BIT, _be16(_FRAGMENT), "pass")
    code.load(R.PROTOCOL, R.DATA, layout.protocol, 1)
    code.load(R.A3, R.DATA, layout.length, 2)
    code.from_network_order(R.A3, 16)
    code.load(R.A2, R.DATA, layout.ports + 2, 2)
    code.from_network_order(R.A2, 16)
    _ports(code, layout, made)
    _addresses(code, layout, made.family_addresses(layout.family))
    _sources(code, layout, maps)
    _conntrack(code, layout, functions)


def _ports(code: Assembler, layout: _Layout, made: Design) -> None:
    """Go on for a destination port, in ``A2``, that is shielded; note the counter."""
    found, tcp = f"port-{layout.family}", f"tcp-{layout.family}"
    code.jump_if(R.PROTOCOL, Jump.EQUAL, TCP, tcp)
    code.jump_if(R.PROTOCOL, Jump.UNEQUAL, UDP, "pass")
    for protocol in (Protocol.UDP, Protocol.TCP):
        if protocol is Protocol.TCP:
            code.here(tcp)
        # What is too short to have ports has none for the fence, which then passes it.
        least = layout.counted + _LEAST[protocol.number]
        code.jump_if(R.A3, Jump.LESS, least, "pass")
        for service in made.services:
            mine = [each for each in service.ports if each.protocol is protocol]
            if mine:
                number = counter_index(made, service.name, layout.family)
                code.number(Op.SET, R.END, number)
            for ports in mine:
                beyond = f"{layout.family}-{ports}"
                code.jump_if(R.A2, Jump.LESS, ports.first, beyond)
                code.jump_if(R.A2, Jump.AT_MOST, ports.last, found)
                code.here(beyond)
        code.jump("pass")
    code.here(found)


def _addresses(code: Assembler, layout: _Layout, own: tuple[int, ...]) -> None:
    """Go on for a destination that is an address of this host."""
    words = range(0, layout.address_size, 4)
    registers = (R.A2, R.A3, R.A4, R.A5)[: len(words)]
    found = f"own-{layout.family}"
    for register, at in zip(registers, words, strict=True):
        code.load(register, R.DATA, layout.destination + at, 4)
    for number, address in enumerate(own):
        packed = address.to_bytes(layout.address_size, "big")
        other = f"other-{layout.family}-{number}"
        for register, at in zip(registers, words, strict=True):
            word = int.from_bytes(packed[at : at + 4], sys.byteorder)
            code.jump_if(register, Jump.UNEQUAL, word, other, wide=False)
        code.jump(found)
        code.here(other)
    code.jump("pass")
    code.here(found)


def _sources(code: Assembler, layout: _Layout, maps: Maps) -> None:
    """Go on for a source that is in no network of the table."""
    new, family = f"new-{layout.family}", layout.family
    code.load(R.A2, R.DATA, layout.source, 2)
    code.from_network_order(R.A2, 16)
    _test_bit(code, maps.tables[family])
    code.jump_if(R.A4, Jump.ANY_BIT, 1, f"somebody-{family}")
    code.jump(new)
    code.here(f"somebody-{family}")
    code.number(Op.SHIFT_LEFT, R.A2, 1)
    code.map_value(R.A3, maps.tables[family], BITS_SIZE)
    code.register(Op.ADD, R.A3, R.A2)
    code.load(R.A4, R.A3, 0, 2)
    code.jump_if(R.A4, Jump.EQUAL, NOBODY, new)
    code.jump_if(R.A4, Jump.EQUAL, EVERYBODY, "pass")
    blocks = maps.blocks[family]
    if blocks:
        _block(code, layout, maps.tables[family], blocks)
    else:
        code.jump("pass")
    code.here(new)


def _block(code: Assembler, layout: _Layout, table: int, blocks: int) -> None:
    """Go on for a source of which the block has no bit; ``A4`` has the head."""
    below = BLOCK_BITS[layout.family]
    code.number(Op.SUBTRACT, R.A4, FIRST_BLOCK)
    code.jump_if(R.A4, Jump.AT_LEAST, blocks, "pass")
    code.number(Op.SHIFT_LEFT, R.A4, below - 3)
    code.load(R.A2, R.DATA, layout.source + 2, below // 8)
    if below > 8:  # noqa: PLR2004 - a byte has no order
        code.from_network_order(R.A2, below)
    code.register(Op.SET, R.A3, R.A2)
    code.number(Op.SHIFT_RIGHT, R.A3, 3)
    code.register(Op.ADD, R.A4, R.A3)
    code.map_value(R.A3, table, BLOCKS_AT)
    code.register(Op.ADD, R.A3, R.A4)
    code.load(R.A4, R.A3, 0, 1)
    code.number(Op.AND, R.A2, 7)
    code.register(Op.SHIFT_RIGHT, R.A4, R.A2)
    code.jump_if(R.A4, Jump.ANY_BIT, 1, "pass")


def _test_bit(code: Assembler, table: int) -> None:
    """Load the bit of the number in ``A2`` into the lowest of ``A4``."""
    code.register(Op.SET, R.A3, R.A2)
    code.number(Op.SHIFT_RIGHT, R.A3, 3)
    code.map_value(R.A4, table)
    code.register(Op.ADD, R.A4, R.A3)
    code.load(R.A4, R.A4, 0, 1)
    code.register(Op.SET, R.A3, R.A2)
    code.number(Op.AND, R.A3, 7)
    code.register(Op.SHIFT_RIGHT, R.A4, R.A3)


def _conntrack(code: Assembler, layout: _Layout, functions: Functions) -> None:
    """Pass what belongs to a flow, in either direction; drop the rest.

    The tuple is source, destination and both ports, as they are in the packet.
    """
    start = _TUPLE_END - layout.tuple_size
    for at in range(0, 2 * layout.address_size, 4):
        code.load(R.A2, R.DATA, layout.source + at, 4)
        code.store(R.FRAME, start + at, R.A2, 4)
    code.load(R.A2, R.DATA, layout.ports, 4)
    code.store(R.FRAME, _TUPLE_END - 4, R.A2, 4)
    code.store_number(R.FRAME, _OPTIONS, -1, 4)  # this network namespace
    code.store_number(R.FRAME, _OPTIONS + 4, 0, 4)
    code.store_number(R.FRAME, _OPTIONS + 8, 0, 4)
    code.store(R.FRAME, _OPTIONS + 8, R.PROTOCOL, 1)
    code.register(Op.SET, R.A1, R.CONTEXT)
    code.register(Op.SET, R.A2, R.FRAME)
    code.number(Op.ADD, R.A2, start)
    code.number(Op.SET, R.A3, layout.tuple_size)
    code.register(Op.SET, R.A4, R.FRAME)
    code.number(Op.ADD, R.A4, _OPTIONS)
    code.number(Op.SET, R.A5, _OPTIONS_SIZE)
    module = int(functions.in_module)
    code.call_kernel(functions.lookup, module)
    code.jump_if(R.RESULT, Jump.EQUAL, 0, "drop")
    code.register(Op.SET, R.A1, R.RESULT)
    code.call_kernel(functions.release, module)
    code.jump("pass")


def _be16(value: int) -> int:
    """Return a number in network order as a load of two bytes gives it."""
    return int.from_bytes(value.to_bytes(2, "big"), sys.byteorder)
