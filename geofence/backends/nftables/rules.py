"""Rules of a ruleset in the kernel's language: expressions on a register, then a verdict.

What is written here is what nft writes for the same rules, so that it prints them as an operator
would have typed them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from geofence.backends.nftables.encoding import (
    DESTINATION,
    SOURCE,
    above,
    begins_flow,
    coming_from,
    compare_with,
    destined_for,
    end_with,
    has_any_status,
    is_older_and_translated,
    is_translated,
    keep_bits,
    load_address,
    load_family,
    load_payload,
    lookup,
    named_port,
    network_mask,
    note_in,
    of_family,
    remember_destination,
    set_label,
    source_far_from,
    state_new,
    to_this_host,
)
from geofence.backends.nftables.kernel_sets import (
    PART_BYTE,
    PARTS,
    FloodKey,
    PartKey,
    flood_keys,
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
)
from geofence.backends.nftables.statements import conditions, goto, in_set, opposite, statement
from geofence.backends.nftables.uapi import Code
from geofence.backends.nftables.uapi_names import (
    CmpOp,
    DynsetOp,
    PayloadBase,
)
from geofence.backends.nftables.userdata import comment
from geofence.backends.prefilter import arranged, excepted, of_known_flows
from geofence.backends.prefilter_key import PrefilterKey
from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family
from geofence.model.ruleset import (
    ADMITTED,
    BEGUN,
    NOTED_BITS,
    NOTED_PER_SECOND,
    Action,
    FencedService,
    Match,
    Role,
    Rule,
    Ruleset,
    SetKey,
    SourceIn,
)

_NOTING = {Family.IPV4: Part.NOTED4, Family.IPV6: Part.NOTED6}
_FAR = "in no network near an allowed address"
_NOTED = "noted: see geofence denied"
_MORE = "more than are noted"
_REMEMBERED = "for a moment, more is dropped at once"
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
        fence = goto(names, Part.FENCE, service)
        arrived = to_this_host() + fence
        if flood_keys(service.name, names.sets):
            arrived = goto(names, Part.ARRIVED, service)
        for ports in service.ports:
            yield KernelRule(BASE, destined_for(ports) + arrived)
            if service.observe:  # counted when it arrived
                seen = destined_for(ports) + to_this_host() + end_with(Code.RETURN)
                yield KernelRule(INPUT, seen)
            yield KernelRule(INPUT, destined_for(ports) + fence)
            yield KernelRule(FORWARD, coming_from(ports) + goto(names, Part.VIA, service))
            yield KernelRule(OUTPUT, coming_from(ports) + goto(names, Part.OUT, service))
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
        yield KernelRule(chain, destined_for(ports) + goto(names, Part.FENCE, service))


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
        if flood_keys(service.name, names.sets):
            yield from _arrived_rules(service, names, arrangement.before, except_for)
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
        if except_for is None:
            far = of_family(family) + source_far_from(names.sets[key], family)
        else:
            far = _begins(family) + _far(key, names, except_for)
        yield KernelRule(chain, far + goto(names, noting, service), comment(_FAR))


def _begins(family: Family) -> bytes:
    """Match first packets of a family; what fails for most packets is asked first."""
    flow, asked = begins_flow(), of_family(family)
    return flow + asked if family is Family.IPV4 else asked + flow


def _far(key: PrefilterKey, names: Names, except_for: Iterable[Match]) -> bytes:
    """Match who is far away, but for what may pass first packets, once the family is known."""
    befores: list[bytes] = []
    afters: list[bytes] = []
    for match in except_for:
        before, after = opposite(match, key.family, names)
        befores.insert(0, before)
        afters.append(after)
    return b"".join((*befores, source_far_from(names.sets[key], key.family), *afters))


def _arrived_rules(
    service: FencedService, names: Names, before: Sequence[Rule], except_for: Sequence[Match]
) -> Iterator[KernelRule]:
    """Yield the rules that send to the fence what arrives for this host.

    Asking routes for that costs time, so they are not asked where the verdict is known. Packets of
    known flows that may pass do so wherever they go. A flood is what comes from far away to an
    address at which more has been dropped than is noted: it was this host's a moment ago.
    """
    arrived, known = (
        names.chains[chain_name(part, service.name)] for part in (Part.ARRIVED, Part.KNOWN)
    )
    here = to_this_host() + goto(names, Part.FENCE, service)
    drop = statement(Action.DROP, Part.ARRIVED, service, names)
    yield KernelRule(arrived, has_any_status() + goto(names, Part.KNOWN, service))
    for key in flood_keys(service.name, names.sets):
        flooded = load_address(DESTINATION, key.family) + lookup(names.sets[key])
        far = _far(key.near, names, except_for)
        yield KernelRule(arrived, flooded + far + drop, comment(_MORE))
    yield KernelRule(arrived, here)
    for rule in of_known_flows(before):
        passed = statement(rule.action, Part.KNOWN, service, names)
        for matching, family in product(conditions(rule.match, names), Family):
            done = matching + _not_banned(family, names) + passed
            yield KernelRule(known, done, comment(rule.comment))
    yield KernelRule(known, here)


def _not_banned(family: Family, names: Names) -> bytes:
    """Match a source of a family that is not banned; what is asked like this counts for no ban."""
    _, source = opposite(SourceIn(Role.BAN, ""), family, names)
    return of_family(family) + source


def _denied_rules(service: FencedService, names: Names) -> Iterator[KernelRule]:
    """Yield rules that note the source and drop; of a flood only a sample is noted."""
    chain = names.chains[chain_name(Part.DENIED, service.name)]
    yield KernelRule(chain, of_family(Family.IPV4) + goto(names, Part.NOTED4, service))
    yield KernelRule(chain, goto(names, Part.NOTED6, service))
    for family in Family:
        yield from _noting_rules(service, family, names)
    if flood_keys(service.name, names.sets):
        yield from _flood_rules(service, names)


def _noting_rules(service: FencedService, family: Family, names: Names) -> Iterator[KernelRule]:
    """Yield rules that each note the sources of one part; the first one is all of a flood."""
    chain = names.chains[chain_name(_NOTING[family], service.name)]
    drop = statement(Action.DROP, _NOTING[family], service, names)
    flooded = FloodKey(PrefilterKey(service.name, family)) in names.sets
    more = goto(names, Part.FLOOD, service) if flooded else drop
    yield KernelRule(chain, above(NOTED_PER_SECOND) + more, comment(_MORE))
    for banned in in_set(SOURCE, SetKey(Role.BAN, "", family), names):
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


def _flood_rules(service: FencedService, names: Names) -> Iterator[KernelRule]:
    """Yield rules that remember where to more is sent than is noted, and drop it."""
    chain = names.chains[chain_name(Part.FLOOD, service.name)]
    for key in flood_keys(service.name, names.sets):
        remember = remember_destination(names.sets[key], key.family)
        yield KernelRule(chain, remember, comment(_REMEMBERED))
    yield KernelRule(chain, statement(Action.DROP, Part.FLOOD, service, names), comment(_MORE))


def _rules(
    rules: Iterable[Rule], part: Part, service: FencedService, names: Names
) -> Iterator[KernelRule]:
    """Yield the kernel's rules; one of the ruleset takes several where families differ."""
    chain = names.chains[chain_name(part, service.name)]
    for rule in rules:
        for matching in conditions(rule.match, names):
            done = matching + statement(rule.action, part, service, names)
            yield KernelRule(chain, done, comment(rule.comment))
