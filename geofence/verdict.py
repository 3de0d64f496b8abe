"""The oracle: what the fence does with a packet, decided in pure Python.

It interprets the same rules that the backends compile; tests send real packets and hold the two
against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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


class FlowState(StrEnum):
    """What conntrack says of a packet."""

    NEW = "new"
    ESTABLISHED = "established"
    RELATED = "related"
    INVALID = "invalid"
    UNTRACKED = "untracked"


@dataclass(frozen=True, slots=True)
class Packet:
    """What of a packet can matter to the fence, as it arrives (before destination NAT)."""

    family: Family
    protocol: str
    """``udp``, ``tcp``, or any other protocol's name: those are never fenced."""
    source: int
    port: int | None = None
    """Destination port, where the protocol has one."""
    to_this_host: bool = True
    """Whether it is delivered here: to an address of this host, or by broadcast or the like."""
    interface: str = ""
    """Where the packet came in; empty for one that no rule names."""
    state: FlowState = FlowState.NEW


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a packet and what decided it."""

    action: Action
    service: FencedService | None = None
    """None: not to a fenced port, none of geofence's business."""
    rule: Rule | None = None


def decide(ruleset: Ruleset, packet: Packet) -> Decision:
    """What the fence does with the packet under the ruleset."""
    service = _service_for(ruleset, packet)
    if service is None:
        return Decision(Action.PASS)
    for rule in ruleset.rules(service):
        if _matches(rule.match, ruleset, packet):
            return Decision(rule.action, service, rule)
    return Decision(Action.PASS, service)


def _service_for(ruleset: Ruleset, packet: Packet) -> FencedService | None:
    if packet.port is None:
        return None
    for service in ruleset.services:
        for ports in service.ports:
            if ports.protocol == packet.protocol and packet.port in ports:
                return service
    return None


def _matches(match: Match, ruleset: Ruleset, packet: Packet) -> bool:
    match match:
        case ArrivedBy(interface):
            if interface.endswith("*"):
                return packet.interface.startswith(interface[:-1])
            return packet.interface == interface
        case NotForThisHost():
            return not packet.to_this_host
        case SourceIn(role, group):
            return packet.source in ruleset.sets[SetKey(role, group, packet.family)]
        case OfKnownFlow():
            return packet.state in (FlowState.ESTABLISHED, FlowState.RELATED)
        case Anything():
            return True
