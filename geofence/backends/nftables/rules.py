"""Rules of a ruleset in the kernel's language: expressions on a register, then a verdict.

What is written here is what nft writes for the same rules, so that it prints them as an operator
would have typed them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from geofence.backends.nftables import uapi
from geofence.backends.nftables.encoding import (
    DESTINATION,
    SOURCE,
    above,
    begins_flow,
    by_interface,
    coming_from,
    compare_with,
    count_on,
    datagram,
    destined_for,
    end_with,
    has_label,
    has_status,
    in_direction,
    is_older_and_translated,
    is_translated,
    keep_bits,
    load_address,
    load_ct,
    load_family,
    load_payload,
    load_prefix,
    lookup,
    named_port,
    network_mask,
    note_in,
    of_family,
    set_label,
    short_datagram,
    source_far_from,
    source_not_in,
    state_new,
    syn,
    to_this_host,
    within,
)
from geofence.backends.nftables.kernel_sets import (
    PART_BYTE,
    PARTS,
    PartKey,
    by_length,
)
from geofence.backends.nftables.objects import (
    BASE,
    BASES,
    FORWARD,
    INPUT,
    MARKING,
    OUTPUT,
    TRANSLATED,
    KernelRule,
    Names,
    Part,
    chain_name,
    counter_of,
)
from geofence.backends.nftables.uapi import Code
from geofence.backends.nftables.uapi_names import (
    CmpOp,
    CtDirection,
    CtKey,
    DynsetOp,
    MetaKey,
    PayloadBase,
)
from geofence.backends.nftables.userdata import comment
from geofence.backends.prefilter import arranged, excepted
from geofence.backends.prefilter_key import PrefilterKey
from geofence.model.frozen import NamedTuple
from geofence.model.ports import Protocol
from geofence.model.prefixes import Family
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

_NOTING = {Family.IPV4: Part.NOTED4, Family.IPV6: Part.NOTED6}
_FAR = "in no network near an allowed address"
_NOTED = "noted: see geofence denied"
_MORE = "more than are noted"
_BANNED = "banned addresses"
_EVERYONE_ELSE = "everyone else"
_OLDER = "older, and asked by two ports"
_MARK = "mark the connection"


class Compiled(NamedTuple):
    """The rules of a ruleset."""

    base: tuple[KernelRule, ...]
    """Those that send packets to the services' chains."""
    service: tuple[KernelRule, ...]


class Compiler:
    """Compiles rulesets, and remembers the last one: a run asks for it several times."""

    def __init__(self) -> None:
        self._last: tuple[Ruleset, Names, Compiled] | None = None

    def compiled(self, ruleset: Ruleset, names: Names) -> Compiled:
        """Return the rules of a ruleset."""
        last = self._last
        if last is None or last[0] is not ruleset or last[1] != names:
            base, service = base_rules(ruleset, names), service_rules(ruleset, names)
            last = self._last = (ruleset, names, Compiled(tuple(base), tuple(service)))
        return last[2]


def base_rules(ruleset: Ruleset, names: Names) -> Iterator[KernelRule]:
    """Yield the rules that send a packet to the chain of the service that its port is of.

    A packet to no fenced port costs comparing its port, and nothing else. Destination NAT gives a
    packet a second port; one that passes by the port that the sender named comes back and is
    asked about the port it is delivered to.
    """
    if ruleset.services:
        translated = is_translated() + end_with(Code.GOTO, names.chains[TRANSLATED])
        yield KernelRule(INPUT, translated)
        yield KernelRule(FORWARD, translated)
    for service in ruleset.services:
        fence = _goto(names, Part.FENCE, service)
        for ports in service.ports:
            yield KernelRule(BASE, destined_for(ports) + to_this_host() + fence)
            if service.observe:  # counted when it arrived
                seen = destined_for(ports) + to_this_host() + end_with(Code.RETURN)
                yield KernelRule(INPUT, seen)
            yield KernelRule(INPUT, destined_for(ports) + fence)
            yield KernelRule(FORWARD, coming_from(ports) + _goto(names, Part.VIA, service))
            yield KernelRule(OUTPUT, coming_from(ports) + _goto(names, Part.OUT, service))
    if ruleset.services and ruleset.labels:
        # What begins from another port is marked, too: source NAT may give it a fenced one.
        others = state_new(CmpOp.NEQ) + set_label(BEGUN)
        yield KernelRule(FORWARD, others)
        yield KernelRule(OUTPUT, others)


def gated(rules: Iterable[KernelRule], gate: str) -> list[KernelRule]:
    """Return the rules of base chains, in force once the gate is open, instead of all after."""
    behind = load_family() + lookup(gate)
    return [
        *(rule._replace(expressions=behind + rule.expressions) for rule in rules),
        *(KernelRule(base.name, behind + end_with(Code.RETURN)) for base in BASES),
    ]


def service_rules(ruleset: Ruleset, names: Names) -> Iterator[KernelRule]:
    """Yield the rules that decide, each service's in its chains."""
    if ruleset.services:
        yield from _translated_rules(ruleset, names)
    if ruleset.services and ruleset.labels:
        yield from _marking_rules(names)
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
        there = end_with(Code.JUMP, names.chains[chain_name(Part.FENCE, service.name)])
        yield KernelRule(chain, named_port(ports) + there)
    for ports, service in served:
        yield KernelRule(chain, destined_for(ports) + _goto(names, Part.FENCE, service))


def _marking_rules(names: Names) -> Iterator[KernelRule]:
    """Yield the rules that mark a flow as admitted.

    A flow that destination NAT has changed is asked by both of its ports. If it is older than the
    mark, that of the first port would answer for the second.
    """
    chain = names.chains[MARKING]
    yield KernelRule(chain, is_older_and_translated() + end_with(Code.RETURN), comment(_OLDER))
    yield KernelRule(chain, set_label(ADMITTED), comment(_MARK))


def _fence_rules(ruleset: Ruleset, service: FencedService, names: Names) -> Iterator[KernelRule]:
    arrangement = arranged(ruleset.rules(service))
    except_for = excepted(arrangement.before)
    rest = (*arrangement.sources, *arrangement.last)
    if except_for is None:
        yield from _rules(arrangement.before, Part.FENCE, service, names)
        yield from _far_rules(service, names)
    else:
        yield from _far_rules(service, names, except_for)
        yield from _rules(arrangement.before, Part.FENCE, service, names)
    yield from _rules(rest, Part.FENCE, service, names)


def _far_rules(
    service: FencedService, names: Names, except_for: Iterable[Match] | None = None
) -> Iterator[KernelRule]:
    """Yield the rules that turn away who is far from all allowed addresses.

    Args:
        service: what is fenced.
        names: of sets and chains.
        except_for: what may pass first packets from anywhere, if other packets and these are not
            to be turned away; None: all were asked before.
    """
    chain = names.chains[chain_name(Part.FENCE, service.name)]
    for family, noting in _NOTING.items():
        if (key := PrefilterKey(service.name, family)) not in names.sets:
            continue
        far = source_far_from(names.sets[key], family)
        if except_for is not None:
            for match in except_for:
                before, after = _negated(match, family, names)
                far = before + far + after
            far = begins_flow() + far
        yield KernelRule(chain, far + _goto(names, noting, service), comment(_FAR))


def _negated(match: Match, family: Family, names: Names) -> tuple[bytes, bytes]:
    """Return the opposite of a match: what comes before the family is asked, and after."""
    match match:
        case ArrivedBy(interface):
            return by_interface(MetaKey.IIFNAME, interface, CmpOp.NEQ), b""
        case SourceIn(role, group):
            return b"", source_not_in(names.sets[SetKey(role, group, family)], family)
    raise ValueError(match)


def _denied_rules(service: FencedService, names: Names) -> Iterator[KernelRule]:
    """Yield rules that note the source and drop; of a flood only a sample is noted."""
    chain = names.chains[chain_name(Part.DENIED, service.name)]
    yield KernelRule(chain, of_family(Family.IPV4) + _goto(names, Part.NOTED4, service))
    yield KernelRule(chain, _goto(names, Part.NOTED6, service))
    for family in Family:
        yield from _noting_rules(service, family, names)


def _noting_rules(service: FencedService, family: Family, names: Names) -> Iterator[KernelRule]:
    """Yield rules that each note the sources of one part; the first one is all of a flood."""
    chain = names.chains[chain_name(_NOTING[family], service.name)]
    drop = _action(Action.DROP, _NOTING[family], service, names)
    yield KernelRule(chain, above(NOTED_PER_SECOND) + drop, comment(_MORE))
    for banned in _in_set(SOURCE, SetKey(Role.BAN, "", family), names):
        yield KernelRule(chain, banned + drop, comment(_BANNED))
    offset, _ = SOURCE[family]
    telling = load_payload(PayloadBase.NETWORK, offset + PART_BYTE[family], 1)
    telling += keep_bits(bytes((PARTS - 1,)))
    source = load_address(SOURCE, family)
    if NOTED_BITS[family] < family.bits:
        source += keep_bits(network_mask(family, NOTED_BITS[family]))
    for part in range(PARTS):
        denied, seen = (
            names.sets[PartKey(SetKey(role, service.name, family), part)]
            for role in (Role.DENIED, Role.SEEN)
        )
        noting = note_in(denied, DynsetOp.ADD) + note_in(seen, DynsetOp.UPDATE)
        in_part = telling + compare_with(CmpOp.EQ, bytes((part,)))
        yield KernelRule(chain, in_part + source + noting, comment(_NOTED))
    yield KernelRule(chain, drop, comment(_EVERYONE_ELSE))


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
            return end_with(Code.RETURN)
        case Action.ADMIT:
            return end_with(Code.GOTO, names.chains[MARKING])
        case Action.BEGIN:
            return set_label(BEGUN) + end_with(Code.RETURN)
        case Action.LOCAL:
            return _goto(names, Part.LOCAL, service)
        case Action.BANNED:
            return _goto(names, Part.BAN, service)
        case Action.TURN_AWAY:
            return _goto(names, Part.DENIED, service)
        case Action.DROP:
            # What this host sends does not count as dropped by the fence.
            counted = b"" if part is Part.OUT else count_on(counter_of(service.name).name)
            return counted + end_with(Code.RETURN if service.observe else uapi.NF_DROP)


def _goto(names: Names, part: Part, service: FencedService) -> bytes:
    return end_with(Code.GOTO, names.chains[chain_name(part, service.name)])


def _matching(match: Match, names: Names) -> tuple[bytes, ...]:  # noqa: PLR0911 - one for each kind
    """Return the conditions of a match; several for what takes a rule each."""
    match match:
        case SourceIn(role, group):
            return _in_sets(SOURCE, role, group, names)
        case DestinationIn(role, group):
            return _in_sets(DESTINATION, role, group, names)
        case SourceWithin(prefix):
            return (within(SOURCE, prefix),)
        case FromLocal((interface, prefix)):
            return (by_interface(MetaKey.IIFNAME, interface) + within(SOURCE, prefix),)
        case ToLocal((interface, prefix)):
            return (by_interface(MetaKey.OIFNAME, interface) + within(DESTINATION, prefix),)
        case ArrivedBy(interface):
            return (by_interface(MetaKey.IIFNAME, interface),)
        case LeavesBy(interface):
            return (by_interface(MetaKey.OIFNAME, interface),)
        case Beginning(Protocol.UDP):
            return (short_datagram(), datagram(CmpOp.NEQ, NO_BEGINNINGS))
    return (_matching_flow(match),)


def _matching_flow(match: Match) -> bytes:  # noqa: PLR0911 - one for each kind
    match match:
        case Reply():
            return in_direction(CtDirection.REPLY) + has_label(BEGUN)
        case Admitted():
            # A stranger's packet is never confirmed, and a status is read faster than a label.
            admitted = has_label(ADMITTED) + in_direction(CtDirection.ORIGINAL)
            return has_status(uapi.CT_CONFIRMED) + admitted
        case Answering():
            return in_direction(CtDirection.REPLY)
        case Begun():
            return has_label(BEGUN)
        case ExpectedBy(helper):
            name = helper.encode().ljust(uapi.CT_HELPER_LENGTH, b"\0")
            return load_ct(CtKey.HELPER) + compare_with(CmpOp.EQ, name)
        case OfKnownFlow():
            return state_new(CmpOp.EQ)
        case Stray(Protocol.UDP):
            return datagram(CmpOp.EQ, (SIP_RESPONSE,))
        case Beginning(Protocol.TCP):
            return syn(CmpOp.EQ)
        case Stray(Protocol.TCP):
            return syn(CmpOp.NEQ)
    return b""


def _in_sets(
    field: Mapping[Family, tuple[int, int]], role: Role, group: str, names: Names
) -> tuple[bytes, ...]:
    keys = (SetKey(role, group, family) for family in Family)
    return tuple(found for key in keys for found in _in_set(field, key, names))


def _in_set(field: Mapping[Family, tuple[int, int]], key: SetKey, names: Names) -> Iterator[bytes]:
    """Yield a look-up in a set of intervals, or one for each length of prefixes."""
    if key in names.sets:
        yield load_address(field, key.family) + lookup(names.sets[key])
    for part in by_length(key, names.sets):
        yield load_prefix(field, key.family, part.length) + lookup(names.sets[part])
