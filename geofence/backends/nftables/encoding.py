"""Expressions of rules as the kernel takes them: conditions on a register, then a statement."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache

from geofence.backends.nftables import uapi
from geofence.backends.nftables.uapi import (
    Bitwise,
    Cmp,
    Ct,
    Dynset,
    Expression,
    Fib,
    Immediate,
    Limit,
    Lookup,
    Meta,
    Objref,
    Payload,
    Range,
)
from geofence.backends.nftables.uapi_names import (
    AddressType,
    CmpOp,
    CtDirection,
    CtKey,
    CtState,
    DynsetOp,
    MetaKey,
    PayloadBase,
)
from geofence.backends.prefilter_key import LENGTH
from geofence.model.ports import LOOPBACK, Ports, Protocol
from geofence.model.prefixes import Family, Prefix
from geofence.netlink.attributes import attribute, number, string

_IFNAMSIZ = 16
NFPROTO = {Family.IPV4: 2, Family.IPV6: 10}
SOURCE = {Family.IPV4: (12, 4), Family.IPV6: (8, 16)}
"""Offset and length in bytes of the source address in the network header (RFC 791, RFC 8200)."""
DESTINATION = {Family.IPV4: (16, 4), Family.IPV6: (24, 16)}
"""The same of the destination address."""
SOURCE_PORT = (0, 2)
DESTINATION_PORT = (2, 2)
"""Offset and length in bytes in the transport header, UDP and TCP alike (RFC 768, RFC 9293)."""
TCP_FLAGS = (13, 1)
"""The same of TCP's flags (RFC 9293, 3.1)."""
FIN_SYN_RST_ACK = 0x17
SYN = 0x02
UDP_LENGTH = (4, 2)
"""The same of a datagram's length, header and all (RFC 768)."""
FIRST_BYTES = (8, 4)
"""The same of what a datagram begins with."""
OLDER_AND_TRANSLATED = uapi.CT_CONFIRMED | uapi.CT_DNAT
"""Bits of conntrack's status."""
LABELS = 128
"""Labels that a flow can have."""


_remembered = lru_cache(maxsize=256)
"""For parts of rules that recur, in each service and family."""


def above(rate: int) -> bytes:
    """Match packets above so many a second."""
    return expression(
        "limit",
        number(Limit.RATE, rate, 8),
        number(Limit.UNIT, 1, 8),
        number(Limit.BURST, rate),
        number(Limit.TYPE, uapi.LIMIT_PACKETS),
        number(Limit.FLAGS, uapi.LIMIT_INVERTED),
    )


def note_in(name: str, op: int) -> bytes:
    """Add the loaded address to a set; one that is there already counts."""
    return expression(
        "dynset",
        number(Dynset.SREG_KEY, uapi.REGISTER),
        number(Dynset.OP, op),
        string(Dynset.SET_NAME, name),
        number(Dynset.TIMEOUT, 0, 8),  # the set's own
        number(Dynset.FLAGS, 0),
    )


def state_new(op: int) -> bytes:
    """Match what conntrack takes for the first packet of its flow (NEQ), or not (EQ)."""
    return load_ct(CtKey.STATE) + keep_bits(host_order(CtState.NEW)) + compare_with(op, bytes(4))


def datagram(op: int, words: Iterable[bytes]) -> bytes:
    """Match a datagram that begins with a word (EQ), or with none of several (NEQ)."""
    first = load_payload(PayloadBase.TRANSPORT, *FIRST_BYTES)
    return of_protocol(Protocol.UDP) + first + b"".join(compare_with(op, word) for word in words)


def short_datagram() -> bytes:
    """Match a datagram without a first word, which a comparison would not match."""
    length = load_payload(PayloadBase.TRANSPORT, *UDP_LENGTH)
    least = sum(FIRST_BYTES).to_bytes(UDP_LENGTH[1], "big")
    return of_protocol(Protocol.UDP) + length + compare_with(CmpOp.LT, least)


def syn(op: int) -> bytes:
    """Match TCP that asks for a connection (EQ), or does anything else (NEQ)."""
    flags = load_payload(PayloadBase.TRANSPORT, *TCP_FLAGS) + keep_bits(bytes((FIN_SYN_RST_ACK,)))
    return of_protocol(Protocol.TCP) + flags + compare_with(op, bytes((SYN,)))


def destined_for(ports: Ports) -> bytes:
    """Match packets to the ports."""
    port = load_payload(PayloadBase.TRANSPORT, *DESTINATION_PORT)
    return of_protocol(ports.protocol) + port + is_among(ports)


def coming_from(ports: Ports) -> bytes:
    """Match packets from the ports."""
    port = load_payload(PayloadBase.TRANSPORT, *SOURCE_PORT)
    return of_protocol(ports.protocol) + port + is_among(ports)


def named_port(ports: Ports) -> bytes:
    """Match the port that the sender named, before destination NAT."""
    port = load_ct(CtKey.PROTO_DST, number(Ct.DIRECTION, CtDirection.ORIGINAL, 1))
    return of_protocol(ports.protocol) + port + is_among(ports)


@_remembered
def of_protocol(protocol: Protocol) -> bytes:
    """Match packets of a transport protocol."""
    return load_meta(MetaKey.L4PROTO) + compare_with(CmpOp.EQ, bytes((protocol.number,)))


def is_among(ports: Ports) -> bytes:
    """Compare a loaded port with a range."""
    first, last = (port.to_bytes(2, "big") for port in (ports.first, ports.last))
    return compare_with(CmpOp.EQ, first) if first == last else between(first, last)


@_remembered
def is_translated() -> bytes:
    """Match what destination NAT has changed, and that is no answer."""
    return has_status(uapi.CT_DNAT) + in_direction(CtDirection.ORIGINAL)


@_remembered
def is_older_and_translated() -> bytes:
    """Match what destination NAT has changed, in a flow that conntrack knew before this packet."""
    bits = host_order(OLDER_AND_TRANSLATED)
    return load_ct(CtKey.STATUS) + keep_bits(bits) + compare_with(CmpOp.EQ, bits)


def has_status(bit: int) -> bytes:
    """Match a bit of conntrack's status of the flow."""
    return load_ct(CtKey.STATUS) + keep_bits(host_order(bit)) + compare_with(CmpOp.NEQ, bytes(4))


@_remembered
def begins_flow() -> bytes:
    """Match a packet of a flow that conntrack has not kept yet."""
    bits = keep_bits(host_order(uapi.CT_CONFIRMED))
    return load_ct(CtKey.STATUS) + bits + compare_with(CmpOp.EQ, bytes(4))


@_remembered
def has_any_status() -> bytes:
    """Match a packet of a flow with any status: those that conntrack has kept all have one."""
    return load_ct(CtKey.STATUS) + compare_with(CmpOp.NEQ, bytes(4))


def in_direction(direction: int) -> bytes:
    """Match packets in a direction of their flow."""
    return load_ct(CtKey.DIRECTION) + compare_with(CmpOp.EQ, bytes((direction,)))


def by_interface(key: int, interface: str, op: int = CmpOp.EQ) -> bytes:
    """Match an interface (EQ), or all others; ``*`` at the end compares only what is before it.

    The loopback has the same index everywhere, and an index is faster to compare than a name.
    """
    if interface == "*":
        return b""
    if interface == LOOPBACK:
        index = MetaKey.IIF if key == MetaKey.IIFNAME else MetaKey.OIF
        return load_meta(index) + compare_with(op, host_order(uapi.LOOPBACK_INDEX))
    stem = interface.removesuffix("*").encode()
    name = stem if interface.endswith("*") else stem.ljust(_IFNAMSIZ, b"\0")
    return load_meta(key) + compare_with(op, name)


@_remembered
def to_this_host() -> bytes:
    """Match a destination that is an address of this host, by the main routing table.

    What is delivered in other ways is looked at where it is delivered.
    """
    kind = expression(
        "fib",
        number(Fib.DREG, uapi.REGISTER),
        number(Fib.RESULT, uapi.FIB_ADDRTYPE),
        number(Fib.FLAGS, uapi.FIB_DADDR),
    )
    return kind + compare_with(CmpOp.EQ, host_order(AddressType.LOCAL))


def host_order(number: int) -> bytes:
    """Return a number of four bytes as the kernel keeps it in registers."""
    return number.to_bytes(4, sys.byteorder)


def source_far_from(name: str, family: Family) -> bytes:
    """Match a source whose network is not in the set, of a packet whose family has been asked."""
    address = load_payload(PayloadBase.NETWORK, *SOURCE[family])
    return address + keep_bits(network_mask(family, LENGTH)) + lookup(name, uapi.LOOKUP_INVERTED)


def remember_destination(name: str, family: Family) -> bytes:
    """Put a destination that is an address of this host into the set, if it is not there."""
    address = load_payload(PayloadBase.NETWORK, *DESTINATION[family])
    missing = of_family(family) + address + lookup(name, uapi.LOOKUP_INVERTED)
    return missing + to_this_host() + address + note_in(name, DynsetOp.ADD)


def source_not_in(name: str, family: Family) -> bytes:
    """Match a source address that is not in the set, of a packet whose family has been asked."""
    return load_payload(PayloadBase.NETWORK, *SOURCE[family]) + lookup(name, uapi.LOOKUP_INVERTED)


def network_mask(family: Family, length: int) -> bytes:
    """Return the mask of prefixes of a length."""
    ones = ~0 << (family.bits - length) & ((1 << family.bits) - 1)
    return ones.to_bytes(family.bits // 8, "big")


def within(field: Mapping[Family, tuple[int, int]], prefix: Prefix) -> bytes:
    """Match an address of the packet within a prefix."""
    family, network, length = prefix
    value = network.to_bytes(family.bits // 8, "big")
    return load_prefix(field, family, length) + compare_with(CmpOp.EQ, value)


def load_prefix(field: Mapping[Family, tuple[int, int]], family: Family, length: int) -> bytes:
    """Match the family of a packet and load the prefix of a length that an address is in."""
    masked = b"" if length == family.bits else keep_bits(network_mask(family, length))
    return load_address(field, family) + masked


def load_address(field: Mapping[Family, tuple[int, int]], family: Family) -> bytes:
    """Match the family of a packet and load its source or destination address."""
    return of_family(family) + load_payload(PayloadBase.NETWORK, *field[family])


@_remembered
def of_family(family: Family) -> bytes:
    """Match packets of a family."""
    return load_family() + compare_with(CmpOp.EQ, bytes((NFPROTO[family],)))


@_remembered
def load_ct(key: int, *more: bytes) -> bytes:
    """Load what conntrack knows of the flow."""
    register = number(Ct.DREG, uapi.REGISTER)
    return expression("ct", register, number(Ct.KEY, key), *more)


def label_bits(label: int) -> bytes:
    """Return all labels of a flow that has this one: a bitmap of words in host order."""
    word, bit = divmod(label, uapi.CT_LABEL_WORD)
    words = [0] * (LABELS // uapi.CT_LABEL_WORD)
    words[word] = 1 << bit
    return b"".join(each.to_bytes(uapi.CT_LABEL_WORD // 8, sys.byteorder) for each in words)


def has_label(label: int) -> bytes:
    """Match a flow that has the label."""
    bits = keep_bits(label_bits(label))
    return load_ct(CtKey.LABELS) + bits + compare_with(CmpOp.NEQ, bytes(LABELS // 8))


def set_label(label: int) -> bytes:
    """Set it beside those that the flow has; without effect where the kernel keeps none for it."""
    bits = _listed(Immediate.DATA, attribute(uapi.DATA_VALUE, label_bits(label)))
    loaded = expression("immediate", number(Immediate.DREG, uapi.REGISTER), bits)
    register = number(Ct.SREG, uapi.REGISTER)
    return loaded + expression("ct", register, number(Ct.KEY, CtKey.LABELS))


def _listed(kind: int, *parts: bytes) -> bytes:
    """Return an attribute made of attributes as the kernel lists it in a rule, which is unmarked.

    So what is read back can be compared byte by byte.
    """
    return attribute(kind, b"".join(parts))


def expression(name: str, *attributes: bytes) -> bytes:
    """Return one expression of a rule."""
    data = _listed(Expression.DATA, *attributes)
    return _listed(uapi.LIST_ELEM, string(Expression.NAME, name), data)


def value_of(kind: int, value: bytes) -> bytes:
    """Return a value that an expression compares with or loads."""
    return _listed(kind, attribute(uapi.DATA_VALUE, value))


@_remembered
def load_meta(key: int) -> bytes:
    """Load a fact about the packet that is not in it."""
    return expression("meta", number(Meta.KEY, key), number(Meta.DREG, uapi.REGISTER))


def load_family() -> bytes:
    """Load the packet's family."""
    return load_meta(MetaKey.NFPROTO)


def lookup(name: str, flags: int = 0) -> bytes:
    """Match what was loaded with a set."""
    register = number(Lookup.SREG, uapi.REGISTER)
    return expression("lookup", string(Lookup.SET, name), register, number(Lookup.FLAGS, flags))


@_remembered
def load_payload(base: int, offset: int, length: int) -> bytes:
    """Load a part of the packet."""
    return expression(
        "payload",
        number(Payload.DREG, uapi.REGISTER),
        number(Payload.BASE, base),
        number(Payload.OFFSET, offset),
        number(Payload.LEN, length),
    )


@_remembered
def compare_with(op: int, value: bytes) -> bytes:
    """Compare what was loaded."""
    register = number(Cmp.SREG, uapi.REGISTER)
    return expression("cmp", register, number(Cmp.OP, op), value_of(Cmp.DATA, value))


@_remembered
def keep_bits(mask: bytes) -> bytes:
    """Keep some bits of what was loaded."""
    return expression(
        "bitwise",
        number(Bitwise.SREG, uapi.REGISTER),
        number(Bitwise.DREG, uapi.REGISTER),
        number(Bitwise.LEN, len(mask)),
        number(Bitwise.OP, uapi.BITWISE_MASK_XOR),
        value_of(Bitwise.MASK, mask),
        value_of(Bitwise.XOR, bytes(len(mask))),
    )


def between(first: bytes, last: bytes) -> bytes:
    """Compare with a range: one expression where nft 1.0.6 writes two; it prints both alike."""
    return expression(
        "range",
        number(Range.SREG, uapi.REGISTER),
        number(Range.OP, CmpOp.EQ),
        value_of(Range.FROM, first),
        value_of(Range.TO, last),
    )


def count_on(counter: str) -> bytes:
    """Count the packet on a named counter."""
    kind = number(Objref.TYPE, uapi.COUNTER)
    return expression("objref", string(Objref.NAME, counter), kind)


@_remembered
def end_with(code: int, chain: str | None = None) -> bytes:
    """End the rule with a verdict."""
    target = () if chain is None else (string(uapi.VerdictAttribute.CHAIN, chain),)
    verdict = _listed(uapi.DATA_VERDICT, number(uapi.VerdictAttribute.CODE, code), *target)
    register = number(Immediate.DREG, uapi.REGISTER_VERDICT)
    return expression("immediate", register, _listed(Immediate.DATA, verdict))
