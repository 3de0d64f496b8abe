"""The rules of a ruleset in the kernel's language: expressions on a register, then a verdict.

What is written here is what nft writes for the same rules, so that it prints them as an operator
would have typed them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace

from geofence.backends.nftables import kernel
from geofence.backends.nftables.kernel import (
    AddressType,
    Bitwise,
    Cmp,
    CmpOp,
    Code,
    Ct,
    CtState,
    Expression,
    Fib,
    Immediate,
    Lookup,
    Meta,
    MetaKey,
    Objref,
    Payload,
    PayloadBase,
    Range,
)
from geofence.backends.nftables.near import LENGTH, NearKey, arranged
from geofence.backends.nftables.objects import BASE, KernelRule, Names, counter_of
from geofence.backends.nftables.userdata import comment
from geofence.model.policy import LOOPBACK, Ports
from geofence.model.prefixes import Family
from geofence.model.ruleset import (
    Action,
    Anything,
    ArrivedBy,
    FencedService,
    Match,
    NotForThisHost,
    OfKnownFlow,
    Rule,
    Ruleset,
    SetKey,
    SourceIn,
)
from geofence.netlink.attributes import attribute, nested, number, string

_IFNAMSIZ = 16
_FAR = "in no network near an allowed address"
NFPROTO = {Family.IPV4: 2, Family.IPV6: 10}
SOURCE = {Family.IPV4: (12, 4), Family.IPV6: (8, 16)}
"""Offset and length in bytes of the source address in the network header (RFC 791, RFC 8200)."""
DESTINATION_PORT = (2, 2)
"""Offset and length in bytes in the transport header, UDP and TCP alike (RFC 768, RFC 9293)."""


def base_rules(ruleset: Ruleset, names: Names) -> Iterator[KernelRule]:
    """Those that send a packet to the chain of the service that its port is of.

    A packet to no fenced port costs comparing its port, and nothing else.
    """
    for service in ruleset.services:
        for ports in service.ports:
            there = _verdict(Code.GOTO, names.chains[service.name])
            yield KernelRule(BASE.name, _destined_for(ports) + there)


def gated(rules: Iterable[KernelRule], gate: str) -> list[KernelRule]:
    """The rules of a base chain, in force instead of all that follow once the gate is open."""
    behind = _family() + _lookup(gate)
    return [
        *(replace(rule, expressions=behind + rule.expressions) for rule in rules),
        KernelRule(BASE.name, behind + _verdict(Code.RETURN)),
    ]


def service_rules(ruleset: Ruleset, names: Names) -> Iterator[KernelRule]:
    """Those that decide, each service's in its chain."""
    for service in ruleset.services:
        chain = arranged(ruleset.rules(service))
        for rule in chain.before:
            yield from _rule(rule, service, names)
        for family in Family:
            if (key := NearKey(service.name, family)) in names.sets:
                far = _source_far_from(names.sets[key], family) + _action(Action.DROP, service)
                yield KernelRule(names.chains[service.name], far, comment(_FAR))
        for rule in (*chain.sources, *chain.last):
            yield from _rule(rule, service, names)


def _rule(rule: Rule, service: FencedService, names: Names) -> Iterator[KernelRule]:
    """A rule of the ruleset takes several in the kernel where families differ."""
    for matching in _matching(rule.match, names):
        done = matching + _action(rule.action, service)
        yield KernelRule(names.chains[service.name], done, comment(rule.comment))


def _action(action: Action, service: FencedService) -> bytes:
    """A verdict; whoever passes goes back to where no rule of geofence's is left."""
    match action:
        case Action.PASS:
            return _verdict(Code.RETURN)
        case Action.DROP:
            return _count(counter_of(service.name).name) + _verdict(kernel.NF_DROP)


def _matching(match: Match, names: Names) -> tuple[bytes, ...]:
    """What has to be true; several for what takes a rule each."""
    match match:
        case ArrivedBy(interface):
            return (_arrived_by(interface),)
        case NotForThisHost():
            return (_not_for_this_host(),)
        case SourceIn(role, group):
            keys = (SetKey(role, group, family) for family in Family)
            return tuple(_source(key.family) + _lookup(names.sets[key]) for key in keys)
        case OfKnownFlow():
            return (_of_known_flow(),)
        case Anything():
            return (b"",)


def _destined_for(ports: Ports) -> bytes:
    first, last = (port.to_bytes(2, "big") for port in (ports.first, ports.last))
    protocol = _meta(MetaKey.L4PROTO) + _compare(CmpOp.EQ, bytes((ports.protocol.number,)))
    port = _payload(PayloadBase.TRANSPORT, *DESTINATION_PORT)
    return protocol + port + (_compare(CmpOp.EQ, first) if first == last else _between(first, last))


def _arrived_by(interface: str) -> bytes:
    """``*`` at the end compares only what comes before it; alone, it is any interface.

    The loopback has the same index everywhere, and an index is faster to compare than a name.
    """
    if interface == "*":
        return b""
    if interface == LOOPBACK:
        return _meta(MetaKey.IIF) + _compare(CmpOp.EQ, _host_order(kernel.LOOPBACK_INDEX))
    stem = interface.removesuffix("*").encode()
    name = stem if interface.endswith("*") else stem.ljust(_IFNAMSIZ, b"\0")
    return _meta(MetaKey.IIFNAME) + _compare(CmpOp.EQ, name)


def _not_for_this_host() -> bytes:
    """By the main table, and by that of the VRF, if any, that the packet came in by.

    That holds the addresses of the VRF's interfaces, which the main one knows nothing of. It tells
    nothing of another host's: seen from one interface, a route by another is none.
    """
    elsewhere = _destination() + _compare(CmpOp.EQ, _host_order(AddressType.UNICAST))
    ours = (AddressType.LOCAL, AddressType.BROADCAST, AddressType.ANYCAST)
    not_ours = (_compare(CmpOp.NEQ, _host_order(kind)) for kind in ours)
    return elsewhere + _destination(kernel.FIB_IIF) + b"".join(not_ours)


def _destination(seen_from: int = 0) -> bytes:
    """What kind of address the destination is."""
    return _expression(
        "fib",
        number(Fib.DREG, kernel.REGISTER),
        number(Fib.RESULT, kernel.FIB_ADDRTYPE),
        number(Fib.FLAGS, kernel.FIB_DADDR | seen_from),
    )


def _host_order(number: int) -> bytes:
    return number.to_bytes(4, sys.byteorder)


def _source_far_from(name: str, family: Family) -> bytes:
    """The network of the source address is not in the set."""
    octets = family.bits // 8
    mask = (~0 << (family.bits - LENGTH) & ((1 << family.bits) - 1)).to_bytes(octets, "big")
    inverted = number(Lookup.FLAGS, kernel.LOOKUP_INVERTED)
    return _source(family) + _masked(mask) + _lookup(name, inverted)


def _source(family: Family) -> bytes:
    """The packet is of the family; its source address."""
    protocol = _family() + _compare(CmpOp.EQ, bytes((NFPROTO[family],)))
    return protocol + _payload(PayloadBase.NETWORK, *SOURCE[family])


def _of_known_flow() -> bytes:
    wanted = _host_order(CtState.ESTABLISHED | CtState.RELATED)
    state = _expression("ct", number(Ct.DREG, kernel.REGISTER), number(Ct.KEY, kernel.CT_STATE))
    return state + _masked(wanted) + _compare(CmpOp.NEQ, bytes(4))


def _expression(name: str, *attributes: bytes) -> bytes:
    data = nested(Expression.DATA, *attributes)
    return nested(kernel.LIST_ELEM, string(Expression.NAME, name), data)


def _data(kind: int, value: bytes) -> bytes:
    return nested(kind, attribute(kernel.DATA_VALUE, value))


def _meta(key: MetaKey) -> bytes:
    return _expression("meta", number(Meta.DREG, kernel.REGISTER), number(Meta.KEY, key))


def _family() -> bytes:
    return _meta(MetaKey.NFPROTO)


def _lookup(name: str, *more: bytes) -> bytes:
    register = number(Lookup.SREG, kernel.REGISTER)
    return _expression("lookup", string(Lookup.SET, name), register, *more)


def _payload(base: PayloadBase, offset: int, length: int) -> bytes:
    return _expression(
        "payload",
        number(Payload.DREG, kernel.REGISTER),
        number(Payload.BASE, base),
        number(Payload.OFFSET, offset),
        number(Payload.LEN, length),
    )


def _compare(op: CmpOp, value: bytes) -> bytes:
    register = number(Cmp.SREG, kernel.REGISTER)
    return _expression("cmp", register, number(Cmp.OP, op), _data(Cmp.DATA, value))


def _masked(mask: bytes) -> bytes:
    return _expression(
        "bitwise",
        number(Bitwise.SREG, kernel.REGISTER),
        number(Bitwise.DREG, kernel.REGISTER),
        number(Bitwise.LEN, len(mask)),
        _data(Bitwise.MASK, mask),
        _data(Bitwise.XOR, bytes(len(mask))),
    )


def _between(first: bytes, last: bytes) -> bytes:
    """One expression where nft 1.0.6 writes two comparisons; it prints both alike."""
    return _expression(
        "range",
        number(Range.SREG, kernel.REGISTER),
        number(Range.OP, CmpOp.EQ),
        _data(Range.FROM, first),
        _data(Range.TO, last),
    )


def _count(counter: str) -> bytes:
    kind = number(Objref.TYPE, kernel.COUNTER)
    return _expression("objref", kind, string(Objref.NAME, counter))


def _verdict(code: int, chain: str | None = None) -> bytes:
    target = () if chain is None else (string(kernel.Verdict.CHAIN, chain),)
    verdict = nested(kernel.DATA_VERDICT, number(kernel.Verdict.CODE, code), *target)
    register = number(Immediate.DREG, kernel.REGISTER_VERDICT)
    return _expression("immediate", register, nested(Immediate.DATA, verdict))
