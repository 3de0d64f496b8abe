"""The ruleset: what the kernel should hold, in no backend's language.

A ruleset is sets of prefixes and, per fenced service, one short chain of rules in the order that
decides a packet. The same rules are compiled by each backend and interpreted by ``verdict``, so
what geofence says about a packet and what it tells the kernel have one origin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from geofence.model.frozen import dataclass, field
from geofence.model.ports import Ports, Protocol
from geofence.model.prefixes import Family, Prefix, PrefixSet
from geofence.model.rules import (
    ADMITTED,
    BEGUN,
    NO_BEGINNINGS,
    SIP_RESPONSE,
    Action,
    Admitted,
    Answering,
    Anything,
    ArrivedBy,
    Beginning,
    Begun,
    DestinationIn,
    ExpectedBy,
    FromLocal,
    LeavesBy,
    LocalNetwork,
    Match,
    OfKnownFlow,
    Reply,
    Rule,
    SourceIn,
    SourceWithin,
    Stray,
    ToLocal,
)
from geofence.model.sets import (
    MOST_NOTED,
    NOTED_BITS,
    NOTED_PER_SECOND,
    NOTED_ROLES,
    NOTED_SECONDS,
    RUNTIME_ROLES,
    Role,
    SetKey,
    SetKind,
)

__all__ = [
    "ADMITTED",
    "BEGUN",
    "MOST_NOTED",
    "NOTED_BITS",
    "NOTED_PER_SECOND",
    "NOTED_ROLES",
    "NOTED_SECONDS",
    "NO_BEGINNINGS",
    "RUNTIME_ROLES",
    "SIP_RESPONSE",
    "Action",
    "Admitted",
    "Answering",
    "Anything",
    "ArrivedBy",
    "Beginning",
    "Begun",
    "DestinationIn",
    "ExpectedBy",
    "FencedService",
    "FromLocal",
    "LeavesBy",
    "LocalNetwork",
    "Match",
    "OfKnownFlow",
    "Reply",
    "Role",
    "Rule",
    "Ruleset",
    "SetKey",
    "SetKind",
    "SourceIn",
    "SourceWithin",
    "Stray",
    "ToLocal",
]


@dataclass(frozen=True, slots=True)
class FencedService:
    """One service: which packets are its business, and what decides them."""

    name: str
    ports: tuple[Ports, ...]
    allow_group: str
    """Group of the allow sets it uses; services with equal policies share theirs."""
    helpers: tuple[str, ...] = ()
    """Conntrack helpers (``sip``, ``h323``) whose expected connections are allowed."""
    replies: bool = True
    """Whether replies of connections that this host began are allowed; if not, only exceptions and
    the allow set count."""
    observe: bool = False
    """Whether what would be dropped is only counted and noted."""


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All that the kernel should hold."""

    services: tuple[FencedService, ...] = ()
    interfaces: tuple[str, ...] = ()
    sets: Mapping[SetKey, PrefixSet] = field(default_factory=dict)
    """What each declared set holds."""
    local: tuple[LocalNetwork, ...] = ()
    """Networks that are allowed on the interfaces where they belong, in ascending order."""
    runtime: Mapping[SetKey, PrefixSet] = field(default_factory=dict, compare=False)
    """What runtime sets hold, as far as it is known; no part of what is recorded or planned."""
    labels: bool = field(default=True, compare=False)
    """Whether the kernel can label connections. Where it cannot, the next best rules hold: replies
    are told by their direction alone, and the sets decide each packet of a call anew."""

    @property
    def runtime_keys(self) -> tuple[SetKey, ...]:
        """The runtime sets that the rules look into."""
        groups = [(Role.BAN, "")] if self.services else []
        for role in (Role.TIMED, Role.DENIED, Role.SEEN):
            groups += [(role, service.name) for service in self.services]
        return tuple(SetKey(role, group, family) for role, group in groups for family in Family)

    @property
    def observed(self) -> tuple[str, ...]:
        """Names of the services that are only observed: nothing is dropped."""
        return tuple(service.name for service in self.services if service.observe)

    def held(self, key: SetKey) -> PrefixSet:
        """Return what a set of either kind holds, as far as it is known."""
        if key.kind is SetKind.RUNTIME:
            return self.runtime.get(key) or PrefixSet(key.family)
        return self.sets[key]

    def rules(self, service: FencedService) -> tuple[Rule, ...]:
        """Return the rules that decide a packet to one of the service's ports, first match first.

        Those that pass may come in any order; known connections first, since a call is one. Bans
        come before them, so that they end calls, too. An exception that has an end marks no flow:
        when it ends, all packets of its sources do.
        """
        replies = (Rule(Reply(), Action.PASS, "replies to this host"),) if service.replies else ()
        return self._as_labelled(
            Rule(SourceIn(Role.BAN, ""), Action.BANNED, _BANNED),
            *replies,
            Rule(Admitted(), Action.PASS, "admitted connections"),
            *self._trusted(ArrivedBy),
            Rule(SourceIn(Role.TIMED, service.name), Action.PASS, _TIMED),
            Rule(SourceIn(Role.EXCEPTION, service.name), Action.ADMIT, _EXCEPTIONS),
            *(Rule(ExpectedBy(name), Action.ADMIT, _HELPED) for name in service.helpers),
            Rule(SourceIn(Role.ALLOW, service.allow_group), Action.ADMIT, "allowed countries"),
            *(Rule(SourceWithin(prefix), Action.LOCAL, _LOCAL) for prefix in self.local_guards()),
            _TURN_AWAY_REST,
        )

    def local_rules(self) -> tuple[Rule, ...]:
        """Return the rules that decide a packet from an address of a local network."""
        return (*self._from_local(), _TURN_AWAY_REST)

    def banned_rules(self, service: FencedService) -> tuple[Rule, ...]:
        """Return the rules that decide a packet from a banned address.

        The operator has named exceptions; a ban, which may be a program's, does not undo that.
        """
        return self._as_labelled(
            *self._trusted(ArrivedBy),
            Rule(SourceIn(Role.TIMED, service.name), Action.PASS, _TIMED),
            Rule(SourceIn(Role.EXCEPTION, service.name), Action.ADMIT, _EXCEPTIONS),
            *self._from_local(),
            Rule(Anything(), Action.DROP, _BANNED),
        )

    def _from_local(self) -> Iterator[Rule]:
        return (Rule(FromLocal(network), Action.PASS, _LOCAL) for network in self.local)

    def local_guards(self) -> tuple[Prefix, ...]:
        """Return the few prefixes around all local networks, so that others meet no more rules."""
        guards: dict[tuple[Family, int], Prefix] = {}
        for _, prefix in self.local:
            key = (prefix.family, prefix.network >> (prefix.family.bits - _GUARDED_BITS))
            guards[key] = _around(guards.get(key, prefix), prefix)
        return tuple(guards.values())

    def sending_rules(self, service: FencedService) -> tuple[Rule, ...]:
        """Return the rules that decide what this host sends from one of the service's ports.

        What begins nothing and goes to an address outside the sets would make a flow that this
        host seems to have begun.
        """
        passed = Action.PASS
        local = (Rule(ToLocal(network), passed, _LOCAL) for network in self.local)
        strays = (Rule(Stray(each), Action.DROP, "begins nothing") for each in _protocols(service))
        return self._as_labelled(
            *self._trusted(LeavesBy),
            *self.forwarded_rules(service),
            Rule(OfKnownFlow(), passed, "known connections"),
            Rule(DestinationIn(Role.EXCEPTION, service.name), passed, _EXCEPTIONS),
            Rule(DestinationIn(Role.TIMED, service.name), passed, _TIMED),
            Rule(DestinationIn(Role.ALLOW, service.allow_group), passed, "allowed countries"),
            *local,
            *strays,
        )

    def forwarded_rules(self, service: FencedService) -> tuple[Rule, ...]:
        """Return the rules that mark what machines behind this host begin from the service's ports.

        Source NAT may hide them behind an address of this host, to which the replies come.
        """
        passed, begins = Action.PASS, Action.BEGIN
        return self._as_labelled(
            Rule(Answering(), passed, "answers to others"),
            Rule(Begun(), passed, "begun connections"),
            *(Rule(Beginning(each), begins, "begins a connection") for each in _protocols(service)),
        )

    def _as_labelled(self, *rules: Rule) -> tuple[Rule, ...]:
        """Return rules as they are, or what is the next best where the kernel has no labels."""
        if self.labels:
            return rules
        return tuple(_unlabelled(rule) for rule in rules if not isinstance(rule.match, _LABELLED))

    def _trusted(self, by: type[ArrivedBy | LeavesBy]) -> Iterator[Rule]:
        for interface in self.interfaces:
            yield Rule(by(interface), Action.PASS, "trusted interface")


_LABELLED = (Admitted, Begun)
"""What only a label tells."""


def _unlabelled(rule: Rule) -> Rule:
    match = Answering() if isinstance(rule.match, Reply) else rule.match
    marks = rule.action in (Action.ADMIT, Action.BEGIN)
    return Rule(match, Action.PASS if marks else rule.action, rule.comment)


_LOCAL = "local networks"
_HELPED = "announced by a helper"
_BANNED = "banned addresses"
_EXCEPTIONS = "named exceptions"
_TIMED = "exceptions for a time"
_TURN_AWAY_REST = Rule(Anything(), Action.TURN_AWAY, "everyone else")
_GUARDED_BITS = 8
"""Local networks that share so many bits share a guard."""


def _protocols(service: FencedService) -> tuple[Protocol, ...]:
    return tuple(dict.fromkeys(ports.protocol for ports in service.ports))


def _around(one: Prefix, other: Prefix) -> Prefix:
    """Return the longest prefix that holds both."""
    bits = one.family.bits
    differing = (one.network ^ other.network).bit_length()
    length = min(one.length, other.length, bits - differing)
    return Prefix(one.family, one.network >> (bits - length) << (bits - length), length)
