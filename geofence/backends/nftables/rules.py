"""Rules of a ruleset in the kernel's language: expressions on a register, then a verdict.

What is written here is what nft writes for the same rules, so that it prints them as an operator
would have typed them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from geofence.backends.nftables import uapi
from geofence.backends.nftables.objects import (
    BASE,
    BASES,
    FORWARD,
    INPUT,
    OUTPUT,
    TRANSLATED,
    KernelRule,
    Names,
    Part,
    chain_name,
    counter_of,
)
from geofence.backends.nftables.prefilter import LENGTH, PrefilterKey, arranged
from geofence.backends.nftables.uapi import (
    AddressType,
    Bitwise,
    Cmp,
    CmpOp,
    Code,
    Ct,
    CtDirection,
    CtKey,
    CtState,
    Dynset,
    DynsetOp,
    Expression,
    Fib,
    Immediate,
    Limit,
    Lookup,
    Meta,
    MetaKey,
    Objref,
    Payload,
    PayloadBase,
    Range,
)
from geofence.backends.nftables.userdata import comment
from geofence.model.policy import LOOPBACK, Ports, Protocol
from geofence.model.prefixes import Family, Prefix
from geofence.model.ruleset import (
    ADMITTED,
    BEGUN,
    NO_BEGINNINGS,
    NOTED_BITS,
    NOTED_PER_SECOND,
    SIP_RESPONSE,
    Action,
    Admitted,
    Answering,
    ArrivedBy,
    Beginning,
    Begun,
    DestinationIn,
    ExpectedBy,
    FencedService,
    FromLocal,
    LeavesBy,
    Match,
    OfKnownFlow,
    Reply,
    Role,
    Rule,
    Ruleset,
    SetKey,
    SourceIn,
    SourceWithin,
    Stray,
    ToLocal,
)
from geofence.netlink.attributes import attribute, nested, number, string

_IFNAMSIZ = 16
_FAR = "in no network near an allowed address"
_NOTED = "noted: see geofence denied"
_EVERYONE_ELSE = "everyone else"
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
LABELS = 128
"""Labels that a flow can have."""


def base_rules(ruleset: Ruleset, names: Names) -> Iterator[KernelRule]:
    """Yield the rules that send a packet to the chain of the service that its port is of.

    A packet to no fenced port costs comparing its port, and nothing else. Destination NAT gives a
    packet a second port; one that passes by the port that the sender named comes back and is
    asked about the port it is delivered to.
    """
    if ruleset.services:
        translated = _translated() + _verdict(Code.GOTO, names.chains[TRANSLATED])
        yield KernelRule(INPUT, translated)
        yield KernelRule(FORWARD, translated)
    for service in ruleset.services:
        fence = _goto(names, Part.FENCE, service)
        for ports in service.ports:
            yield KernelRule(BASE, _destined_for(ports) + _to_this_host() + fence)
            if service.observe:  # counted when it arrived
                seen = _destined_for(ports) + _to_this_host() + _verdict(Code.RETURN)
                yield KernelRule(INPUT, seen)
            yield KernelRule(INPUT, _destined_for(ports) + fence)
            yield KernelRule(FORWARD, _coming_from(ports) + _goto(names, Part.VIA, service))
            yield KernelRule(OUTPUT, _coming_from(ports) + _goto(names, Part.OUT, service))
    if ruleset.services and ruleset.labels:
        # What begins from another port is marked, too: source NAT may give it a fenced one.
        others = _state_new(CmpOp.NEQ) + _set_label(BEGUN)
        yield KernelRule(FORWARD, others)
        yield KernelRule(OUTPUT, others)


def gated(rules: Iterable[KernelRule], gate: str) -> list[KernelRule]:
    """Return the rules of base chains, in force once the gate is open, instead of all after."""
    behind = _family() + _lookup(gate)
    return [
        *(replace(rule, expressions=behind + rule.expressions) for rule in rules),
        *(KernelRule(base.name, behind + _verdict(Code.RETURN)) for base in BASES),
    ]


def service_rules(ruleset: Ruleset, names: Names) -> Iterator[KernelRule]:
    """Yield the rules that decide, each service's in its chains."""
    if ruleset.services:
        yield from _translated_rules(ruleset, names)
    for service in ruleset.services:
        yield from _fence_rules(ruleset, service, names)
        if ruleset.local:
            yield from _rules(ruleset.local_rules(), Part.LOCAL, service, names)
        yield from _rules(ruleset.banned_rules(service), Part.BAN, service, names)
        yield from _denied_rules(service, names)
        yield from _rules(ruleset.sending_rules(service), Part.OUT, service, names)
        yield from _rules(ruleset.forwarded_rules(service), Part.VIA, service, names)


def _translated_rules(ruleset: Ruleset, names: Names) -> Iterator[KernelRule]:
    chain = names.chains[TRANSLATED]
    served = [(ports, service) for service in ruleset.services for ports in service.ports]
    for ports, service in served:
        there = _verdict(Code.JUMP, names.chains[chain_name(Part.FENCE, service.name)])
        yield KernelRule(chain, _named(ports) + there)
    for ports, service in served:
        yield KernelRule(chain, _destined_for(ports) + _goto(names, Part.FENCE, service))


def _fence_rules(ruleset: Ruleset, service: FencedService, names: Names) -> Iterator[KernelRule]:
    arrangement = arranged(ruleset.rules(service))
    yield from _rules(arrangement.before, Part.FENCE, service, names)
    chain = names.chains[chain_name(Part.FENCE, service.name)]
    for family in Family:
        if (key := PrefilterKey(service.name, family)) in names.sets:
            denied = _action(Action.TURN_AWAY, Part.FENCE, service, names)
            far = _source_far_from(names.sets[key], family) + denied
            yield KernelRule(chain, far, comment(_FAR))
    rest = (*arrangement.sources, *arrangement.last)
    yield from _rules(rest, Part.FENCE, service, names)


def _denied_rules(service: FencedService, names: Names) -> Iterator[KernelRule]:
    """Yield rules that note the source and drop.

    Of a flood only a sample is noted. Where a set is full, its rule ends at that, and the next one
    goes on.
    """
    chain = names.chains[chain_name(Part.DENIED, service.name)]
    for family in Family:
        denied, seen = (
            names.sets[SetKey(role, service.name, family)] for role in (Role.DENIED, Role.SEEN)
        )
        bits = NOTED_BITS[family]
        source = _of_family(family) + _at_most(NOTED_PER_SECOND)
        source += _payload(PayloadBase.NETWORK, *SOURCE[family])
        if bits < family.bits:
            source += _masked(_mask(family, bits))
        noting = _noted(denied, DynsetOp.ADD) + _noted(seen, DynsetOp.UPDATE)
        yield KernelRule(chain, source + noting, comment(_NOTED))
    drop = _action(Action.DROP, Part.DENIED, service, names)
    yield KernelRule(chain, drop, comment(_EVERYONE_ELSE))


def _at_most(rate: int) -> bytes:
    """Match so many packets a second."""
    return _expression(
        "limit",
        number(Limit.RATE, rate, 8),
        number(Limit.UNIT, 1, 8),
        number(Limit.BURST, rate),
        number(Limit.TYPE, uapi.LIMIT_PACKETS),
        number(Limit.FLAGS, 0),
    )


def _noted(name: str, op: DynsetOp) -> bytes:
    """Add the loaded address to a set; one that is there already counts."""
    return _expression(
        "dynset",
        string(Dynset.SET_NAME, name),
        number(Dynset.OP, op),
        number(Dynset.SREG_KEY, uapi.REGISTER),
    )


def _rules(
    rules: Iterable[Rule], part: Part, service: FencedService, names: Names
) -> Iterator[KernelRule]:
    """Yield the kernel's rules; one of the ruleset takes several where families differ."""
    chain = names.chains[chain_name(part, service.name)]
    for rule in rules:
        for matching in _matching(rule.match, names):
            done = matching + _action(rule.action, part, service, names)
            yield KernelRule(chain, done, comment(rule.comment))


def _action(  # noqa: PLR0911 - one for each kind
    action: Action, part: Part, service: FencedService, names: Names
) -> bytes:
    """Return a verdict; packets that pass go back to where no rule of geofence's is left."""
    match action:
        case Action.PASS:
            return _verdict(Code.RETURN)
        case Action.ADMIT:
            return _set_label(ADMITTED) + _verdict(Code.RETURN)
        case Action.BEGIN:
            return _set_label(BEGUN) + _verdict(Code.RETURN)
        case Action.LOCAL:
            return _goto(names, Part.LOCAL, service)
        case Action.BANNED:
            return _goto(names, Part.BAN, service)
        case Action.TURN_AWAY:
            return _goto(names, Part.DENIED, service)
        case Action.DROP:
            # What this host sends does not count as dropped by the fence.
            counted = b"" if part is Part.OUT else _count(counter_of(service.name).name)
            return counted + _verdict(Code.RETURN if service.observe else uapi.NF_DROP)


def _goto(names: Names, part: Part, service: FencedService) -> bytes:
    return _verdict(Code.GOTO, names.chains[chain_name(part, service.name)])


def _matching(match: Match, names: Names) -> tuple[bytes, ...]:  # noqa: PLR0911 - one for each kind
    """Return the conditions of a match; several for what takes a rule each."""
    match match:
        case SourceIn(role, group):
            return _in_sets(SOURCE, role, group, names)
        case DestinationIn(role, group):
            return _in_sets(DESTINATION, role, group, names)
        case SourceWithin(prefix):
            return (_within(SOURCE, prefix),)
        case FromLocal((interface, prefix)):
            return (_by(MetaKey.IIFNAME, interface) + _within(SOURCE, prefix),)
        case ToLocal((interface, prefix)):
            return (_by(MetaKey.OIFNAME, interface) + _within(DESTINATION, prefix),)
        case ArrivedBy(interface):
            return (_by(MetaKey.IIFNAME, interface),)
        case LeavesBy(interface):
            return (_by(MetaKey.OIFNAME, interface),)
        case Beginning(Protocol.UDP):
            return (_short_datagram(), _datagram(CmpOp.NEQ, NO_BEGINNINGS))
    return (_matching_flow(match),)


def _matching_flow(match: Match) -> bytes:  # noqa: PLR0911 - one for each kind
    match match:
        case Reply():
            return _direction(CtDirection.REPLY) + _label(BEGUN)
        case Admitted():
            # A stranger's packet is never confirmed, and a status is read faster than a label.
            admitted = _label(ADMITTED) + _direction(CtDirection.ORIGINAL)
            return _status(uapi.CT_CONFIRMED) + admitted
        case Answering():
            return _direction(CtDirection.REPLY)
        case Begun():
            return _label(BEGUN)
        case ExpectedBy(helper):
            name = helper.encode().ljust(uapi.CT_HELPER_LENGTH, b"\0")
            return _ct(CtKey.HELPER) + _compare(CmpOp.EQ, name)
        case OfKnownFlow():
            return _state_new(CmpOp.EQ)
        case Stray(Protocol.UDP):
            return _datagram(CmpOp.EQ, (SIP_RESPONSE,))
        case Beginning(Protocol.TCP):
            return _syn(CmpOp.EQ)
        case Stray(Protocol.TCP):
            return _syn(CmpOp.NEQ)
    return b""


def _state_new(op: CmpOp) -> bytes:
    """Match what conntrack takes for the first packet of its flow (NEQ), or not (EQ)."""
    return _ct(CtKey.STATE) + _masked(_host_order(CtState.NEW)) + _compare(op, bytes(4))


def _datagram(op: CmpOp, words: Iterable[bytes]) -> bytes:
    """Match a datagram that begins with a word (EQ), or with none of several (NEQ)."""
    first = _payload(PayloadBase.TRANSPORT, *FIRST_BYTES)
    return _protocol(Protocol.UDP) + first + b"".join(_compare(op, word) for word in words)


def _short_datagram() -> bytes:
    """Match a datagram without a first word, which a comparison would not match."""
    length = _payload(PayloadBase.TRANSPORT, *UDP_LENGTH)
    least = sum(FIRST_BYTES).to_bytes(UDP_LENGTH[1], "big")
    return _protocol(Protocol.UDP) + length + _compare(CmpOp.LT, least)


def _syn(op: CmpOp) -> bytes:
    """Match TCP that asks for a connection (EQ), or does anything else (NEQ)."""
    flags = _payload(PayloadBase.TRANSPORT, *TCP_FLAGS) + _masked(bytes((FIN_SYN_RST_ACK,)))
    return _protocol(Protocol.TCP) + flags + _compare(op, bytes((SYN,)))


def _in_sets(
    field: Mapping[Family, tuple[int, int]], role: Role, group: str, names: Names
) -> tuple[bytes, ...]:
    keys = (SetKey(role, group, family) for family in Family)
    return tuple(_address(field, key.family) + _lookup(names.sets[key]) for key in keys)


def _destined_for(ports: Ports) -> bytes:
    port = _payload(PayloadBase.TRANSPORT, *DESTINATION_PORT)
    return _protocol(ports.protocol) + port + _is_among(ports)


def _coming_from(ports: Ports) -> bytes:
    port = _payload(PayloadBase.TRANSPORT, *SOURCE_PORT)
    return _protocol(ports.protocol) + port + _is_among(ports)


def _named(ports: Ports) -> bytes:
    """Match the port that the sender named, before destination NAT."""
    port = _ct(CtKey.PROTO_DST, number(Ct.DIRECTION, CtDirection.ORIGINAL, 1))
    return _protocol(ports.protocol) + port + _is_among(ports)


def _protocol(protocol: Protocol) -> bytes:
    return _meta(MetaKey.L4PROTO) + _compare(CmpOp.EQ, bytes((protocol.number,)))


def _is_among(ports: Ports) -> bytes:
    first, last = (port.to_bytes(2, "big") for port in (ports.first, ports.last))
    return _compare(CmpOp.EQ, first) if first == last else _between(first, last)


def _translated() -> bytes:
    """Match what destination NAT has changed, and that is no answer."""
    return _status(uapi.CT_DNAT) + _direction(CtDirection.ORIGINAL)


def _status(bit: int) -> bytes:
    return _ct(CtKey.STATUS) + _masked(_host_order(bit)) + _compare(CmpOp.NEQ, bytes(4))


def _direction(direction: CtDirection) -> bytes:
    return _ct(CtKey.DIRECTION) + _compare(CmpOp.EQ, bytes((direction,)))


def _by(key: MetaKey, interface: str) -> bytes:
    """Match an interface; ``*`` at the end compares only what comes before it.

    The loopback has the same index everywhere, and an index is faster to compare than a name.
    """
    if interface == "*":
        return b""
    if interface == LOOPBACK:
        index = MetaKey.IIF if key is MetaKey.IIFNAME else MetaKey.OIF
        return _meta(index) + _compare(CmpOp.EQ, _host_order(uapi.LOOPBACK_INDEX))
    stem = interface.removesuffix("*").encode()
    name = stem if interface.endswith("*") else stem.ljust(_IFNAMSIZ, b"\0")
    return _meta(key) + _compare(CmpOp.EQ, name)


def _to_this_host() -> bytes:
    """Match a destination that is an address of this host, by the main routing table.

    What is delivered in other ways is looked at where it is delivered.
    """
    kind = _expression(
        "fib",
        number(Fib.DREG, uapi.REGISTER),
        number(Fib.RESULT, uapi.FIB_ADDRTYPE),
        number(Fib.FLAGS, uapi.FIB_DADDR),
    )
    return kind + _compare(CmpOp.EQ, _host_order(AddressType.LOCAL))


def _host_order(number: int) -> bytes:
    return number.to_bytes(4, sys.byteorder)


def _source_far_from(name: str, family: Family) -> bytes:
    """Match a source address whose network is not in the set."""
    inverted = number(Lookup.FLAGS, uapi.LOOKUP_INVERTED)
    return _address(SOURCE, family) + _masked(_mask(family, LENGTH)) + _lookup(name, inverted)


def _mask(family: Family, length: int) -> bytes:
    ones = ~0 << (family.bits - length) & ((1 << family.bits) - 1)
    return ones.to_bytes(family.bits // 8, "big")


def _within(field: Mapping[Family, tuple[int, int]], prefix: Prefix) -> bytes:
    family, network, length = prefix
    masked = b"" if length == family.bits else _masked(_mask(family, length))
    value = network.to_bytes(family.bits // 8, "big")
    return _address(field, family) + masked + _compare(CmpOp.EQ, value)


def _address(field: Mapping[Family, tuple[int, int]], family: Family) -> bytes:
    """Match the family of a packet and load its source or destination address."""
    return _of_family(family) + _payload(PayloadBase.NETWORK, *field[family])


def _of_family(family: Family) -> bytes:
    return _family() + _compare(CmpOp.EQ, bytes((NFPROTO[family],)))


def _ct(key: CtKey, *more: bytes) -> bytes:
    register = number(Ct.DREG, uapi.REGISTER)
    return _expression("ct", register, number(Ct.KEY, key), *more)


def label_bits(label: int) -> bytes:
    """Return all labels of a flow that has this one: a bitmap of words in host order."""
    word, bit = divmod(label, uapi.CT_LABEL_WORD)
    words = [0] * (LABELS // uapi.CT_LABEL_WORD)
    words[word] = 1 << bit
    return b"".join(each.to_bytes(uapi.CT_LABEL_WORD // 8, sys.byteorder) for each in words)


def _label(label: int) -> bytes:
    """Match a flow that has the label."""
    bits = _masked(label_bits(label))
    return _ct(CtKey.LABELS) + bits + _compare(CmpOp.NEQ, bytes(LABELS // 8))


def _set_label(label: int) -> bytes:
    """Set it beside those that the flow has; without effect where the kernel keeps none for it."""
    bits = nested(Immediate.DATA, attribute(uapi.DATA_VALUE, label_bits(label)))
    loaded = _expression("immediate", number(Immediate.DREG, uapi.REGISTER), bits)
    register = number(Ct.SREG, uapi.REGISTER)
    return loaded + _expression("ct", register, number(Ct.KEY, CtKey.LABELS))


def _expression(name: str, *attributes: bytes) -> bytes:
    data = nested(Expression.DATA, *attributes)
    return nested(uapi.LIST_ELEM, string(Expression.NAME, name), data)


def _data(kind: int, value: bytes) -> bytes:
    return nested(kind, attribute(uapi.DATA_VALUE, value))


def _meta(key: MetaKey) -> bytes:
    return _expression("meta", number(Meta.DREG, uapi.REGISTER), number(Meta.KEY, key))


def _family() -> bytes:
    return _meta(MetaKey.NFPROTO)


def _lookup(name: str, *more: bytes) -> bytes:
    register = number(Lookup.SREG, uapi.REGISTER)
    return _expression("lookup", string(Lookup.SET, name), register, *more)


def _payload(base: PayloadBase, offset: int, length: int) -> bytes:
    return _expression(
        "payload",
        number(Payload.DREG, uapi.REGISTER),
        number(Payload.BASE, base),
        number(Payload.OFFSET, offset),
        number(Payload.LEN, length),
    )


def _compare(op: CmpOp, value: bytes) -> bytes:
    register = number(Cmp.SREG, uapi.REGISTER)
    return _expression("cmp", register, number(Cmp.OP, op), _data(Cmp.DATA, value))


def _masked(mask: bytes) -> bytes:
    return _expression(
        "bitwise",
        number(Bitwise.SREG, uapi.REGISTER),
        number(Bitwise.DREG, uapi.REGISTER),
        number(Bitwise.LEN, len(mask)),
        _data(Bitwise.MASK, mask),
        _data(Bitwise.XOR, bytes(len(mask))),
    )


def _between(first: bytes, last: bytes) -> bytes:
    """Compare with a range: one expression where nft 1.0.6 writes two; it prints both alike."""
    return _expression(
        "range",
        number(Range.SREG, uapi.REGISTER),
        number(Range.OP, CmpOp.EQ),
        _data(Range.FROM, first),
        _data(Range.TO, last),
    )


def _count(counter: str) -> bytes:
    kind = number(Objref.TYPE, uapi.COUNTER)
    return _expression("objref", kind, string(Objref.NAME, counter))


def _verdict(code: int, chain: str | None = None) -> bytes:
    target = () if chain is None else (string(uapi.VerdictAttribute.CHAIN, chain),)
    verdict = nested(uapi.DATA_VERDICT, number(uapi.VerdictAttribute.CODE, code), *target)
    register = number(Immediate.DREG, uapi.REGISTER_VERDICT)
    return _expression("immediate", register, nested(Immediate.DATA, verdict))
