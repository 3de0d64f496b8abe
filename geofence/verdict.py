"""The oracle: what the fence does with a packet, decided in pure Python.

It interprets the same rules that the backends compile; tests send real packets and hold the two
against each other.
"""

from __future__ import annotations

from collections.abc import Iterator

from geofence.model.frozen import NamedTuple, dataclass, replace
from geofence.model.prefixes import Family, Prefix
from geofence.model.ruleset import (
    Action,
    Admitted,
    Answering,
    Anything,
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

UNKNOWN_HELPER = "*"
"""Stands for whichever helper announced a flow, where nobody knows which."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What of a packet that comes in can matter to the fence."""

    family: Family
    protocol: str
    """``udp``, ``tcp``, or any other protocol's name: those are never fenced."""
    source: int
    port: int | None = None
    """Destination port that the sender named, where the protocol has one."""
    to_this_host: bool = True
    """Whether it is delivered here, however it was addressed, or destination NAT sends it on; not
    for what this host only forwards."""
    interface: str = ""
    """Where the packet came in; empty for one that no rule names."""
    delivered_port: int | None = None
    """Destination port after destination NAT; None without it."""
    reply: bool = False
    """Whether it answers a flow that carries the mark of one that was begun here."""
    admitted: bool = False
    """Whether its flow carries the fence's mark."""
    helper: str = ""
    """The conntrack helper that announced its flow; empty for none."""
    answers: bool = False
    """Whether it is in the reply direction of its flow, with or without that mark."""
    known: bool = False
    """Whether conntrack knew its flow before."""

    @property
    def can_be_marked(self) -> bool:
        """Whether its flow can be marked: not one that is older than that and has two ports."""
        return not (self.known and self.delivered_port is not None)


@dataclass(frozen=True, slots=True)
class Sent:
    """What of a packet that this host sends can matter to the fence."""

    family: Family
    protocol: str
    destination: int
    port: int | None = None
    """Source port."""
    interface: str = ""
    """By which it is sent."""
    answers: bool = False
    """Whether it answers a flow that somebody else began."""
    begun: bool = False
    """Whether its flow carries the mark of one that was begun here."""
    known: bool = False
    """Whether conntrack knows its flow, or does not track it."""
    begins: bool = True
    """Whether it may begin a flow (see ``Beginning``)."""
    stray: bool = False
    """Whether it can only belong to a flow (see ``Stray``)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a packet and what decided it."""

    action: Action
    """PASS or DROP; what else is done for those who pass, the rule says."""
    service: FencedService | None = None
    """None: not to a fenced port, none of geofence's business."""
    rule: Rule | None = None
    admits: bool = False
    """Whether the packet's flow is marked as admitted."""
    begins: bool = False
    """Whether the packet's flow is marked as begun here."""
    observed: bool = False
    """Whether it passes only because its service is observed: it would be dropped."""
    noted_by: tuple[str, ...] = ()
    """Services that note its source as turned away."""


class Step(NamedTuple):
    """One rule that a packet meets."""

    rule: Rule
    matched: bool
    """Whether the packet is what the rule asks for."""
    decides: bool
    """Whether the rule decides the packet."""


def decide(ruleset: Ruleset, packet: Packet) -> Decision:
    """Return what the fence does with a packet that comes in.

    Both ports count where destination NAT names another: what is dropped by either is dropped.
    """
    decision = Decision(Action.PASS)
    for port in dict.fromkeys((packet.port, packet.delivered_port)):
        service = _service_for(ruleset, packet.protocol, port)
        if service is None or not packet.to_this_host:
            continue
        decision = _together(decision, _decided(ruleset, service, packet))
        if decision.action is Action.DROP:
            break
    return decision


def steps(ruleset: Ruleset, packet: Packet) -> tuple[Step, ...]:
    """Return the rules that a packet to its port meets, up to the one that decides it.

    None for what is not fenced.
    """
    service = _service_for(ruleset, packet.protocol, packet.port)
    if service is None or not packet.to_this_host:
        return ()
    met = tuple(_met(ruleset, service, packet))
    last = len(met) - 1
    return tuple(Step(rule, matched, at == last) for at, (rule, matched) in enumerate(met))


def decide_sent(ruleset: Ruleset, sent: Sent) -> Decision:
    """Return what the fence does with a packet that this host sends."""
    service = _service_for(ruleset, sent.protocol, sent.port)
    if service is None:  # source NAT may give it a fenced port all the same
        return Decision(Action.PASS, begins=not sent.known)
    for rule in ruleset.sending_rules(service):
        if _matches_sent(rule.match, ruleset, sent):
            dropped = _drops(rule)
            passes = service.observe or not dropped
            action = Action.PASS if passes else Action.DROP
            begins = rule.action is Action.BEGIN
            return Decision(action, service, rule, begins=begins, observed=dropped and passes)
    return Decision(Action.PASS, service)


def _together(earlier: Decision, later: Decision) -> Decision:
    """Return what becomes of a packet that passed by its first port, by both."""
    noted_by = (*earlier.noted_by, *later.noted_by)
    if later.action is Action.DROP:
        return replace(later, noted_by=noted_by)
    telling = earlier if earlier.observed else later
    return replace(telling, admits=earlier.admits or later.admits, noted_by=noted_by)


def _decided(ruleset: Ruleset, service: FencedService, packet: Packet) -> Decision:
    *_, (rule, _) = _met(ruleset, service, packet)
    dropped = _drops(rule)
    passes = service.observe or not dropped
    return Decision(
        Action.PASS if passes else Action.DROP,
        service,
        rule,
        admits=rule.action is Action.ADMIT and packet.can_be_marked,
        observed=dropped and passes,
        noted_by=(service.name,) if rule.action is Action.TURN_AWAY else (),
    )


def _met(ruleset: Ruleset, service: FencedService, packet: Packet) -> Iterator[tuple[Rule, bool]]:
    """Yield the rules that a packet meets, and whether they match; the last one decides."""
    rules = ruleset.rules(service)
    while rules:
        for rule in rules:
            matched = _matches(rule.match, ruleset, packet)
            yield rule, matched
            if matched:
                break
        rules = _following(ruleset, service, rule)


def _following(ruleset: Ruleset, service: FencedService, rule: Rule) -> tuple[Rule, ...]:
    """Return the rules with which a rule that has matched goes on; none where it decides."""
    if rule.action is Action.LOCAL:
        return ruleset.local_rules()
    if rule.action is Action.BANNED:
        return ruleset.banned_rules(service)
    return ()


def _drops(rule: Rule) -> bool:
    return rule.action in (Action.DROP, Action.TURN_AWAY)


def _service_for(ruleset: Ruleset, protocol: str, port: int | None) -> FencedService | None:
    if port is None:
        return None
    for service in ruleset.services:
        for ports in service.ports:
            if ports.protocol == protocol and port in ports:
                return service
    return None


def _matches(match: Match, ruleset: Ruleset, packet: Packet) -> bool:  # noqa: PLR0911 - one a kind
    match match:
        case ArrivedBy(interface):
            return _is_called(packet.interface, interface)
        case SourceIn(role, group):
            return _in_set(ruleset, role, group, packet.family, packet.source)
        case SourceWithin(prefix):
            return _within(prefix, packet.family, packet.source)
        case FromLocal((interface, prefix)):
            by = _is_called(packet.interface, interface)
            return by and _within(prefix, packet.family, packet.source)
        case Reply():
            return packet.reply
        case Answering():
            return packet.answers or packet.reply
        case Admitted():
            return packet.admitted and not (packet.reply or packet.answers)
        case ExpectedBy(helper):
            return packet.helper in (helper, UNKNOWN_HELPER)
    return isinstance(match, Anything)


def _matches_sent(match: Match, ruleset: Ruleset, sent: Sent) -> bool:  # noqa: PLR0911 - one a kind
    match match:
        case LeavesBy(interface):
            return _is_called(sent.interface, interface)
        case DestinationIn(role, group):
            return _in_set(ruleset, role, group, sent.family, sent.destination)
        case ToLocal((interface, prefix)):
            by = _is_called(sent.interface, interface)
            return by and _within(prefix, sent.family, sent.destination)
        case Answering():
            return sent.answers
        case Begun():
            return sent.begun
        case OfKnownFlow():
            return sent.known
        case Beginning(protocol):
            return sent.protocol == protocol and sent.begins
        case Stray(protocol):
            return sent.protocol == protocol and sent.stray
    return isinstance(match, Anything)


def _is_called(interface: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return interface.startswith(pattern[:-1])
    return interface == pattern


def _in_set(ruleset: Ruleset, role: Role, group: str, family: Family, address: int) -> bool:
    return address in ruleset.held(SetKey(role, group, family))


def _within(prefix: Prefix, family: Family, address: int) -> bool:
    return prefix.family is family and prefix.network <= address < prefix.past
