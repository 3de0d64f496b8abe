"""What the kernel should hold, in no backend's language.

A ruleset is sets of prefixes and, per fenced service, one short chain of rules in the order that
decides a packet. The same rules are compiled by each backend and interpreted by ``verdict``, so
what geofence says about a packet and what it tells the kernel have one origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from geofence.model.policy import Ports
from geofence.model.prefixes import Family, Prefix, PrefixSet


class Role(StrEnum):
    """What being in a set means."""

    EXCEPTION = "except"
    """Let in before anything else is asked: exceptions and local networks."""
    ALLOW = "allow"
    """Let in: allowed countries less the blocklists."""


class SetKey(NamedTuple):
    """Which set. ``group`` is a service's name, or empty for the set that services share."""

    role: Role
    group: str
    family: Family

    @property
    def name(self) -> str:
        """Short name, unique among geofence's sets: ``allow4``, ``except6-sip``."""
        stem = f"{self.role}{self.family.digit}"
        return f"{stem}-{self.group}" if self.group else stem

    @classmethod
    def parse(cls, name: str) -> SetKey | None:
        """The inverse of ``name``; None for a name that geofence does not give."""
        stem, _, group = name.partition("-")
        for role in Role:
            for family in Family:
                if stem == f"{role}{family.digit}":
                    return cls(role, group, family)
        return None


@dataclass(frozen=True, slots=True)
class ArrivedBy:
    """The packet came in by this interface; ``*`` at the end stands for any rest."""

    interface: str


@dataclass(frozen=True, slots=True)
class NotForThisHost:
    """The destination is another host's, to which this one forwards.

    What comes to a broadcast, multicast or anycast address is delivered here as well as what comes
    to an address of this host. Were it passed on, the PBX would answer from its own address, and
    whoever asked would from then on belong to a flow that it knows.
    """


@dataclass(frozen=True, slots=True)
class SourceIn:
    """The source address is in the set of the packet's family."""

    role: Role
    group: str


@dataclass(frozen=True, slots=True)
class OfKnownFlow:
    """conntrack knows the packet as ESTABLISHED or RELATED."""


@dataclass(frozen=True, slots=True)
class Anything:
    """Every packet that comes this far."""


Match = ArrivedBy | NotForThisHost | SourceIn | OfKnownFlow | Anything


class Action(StrEnum):
    """What a rule does with a packet."""

    PASS = "pass"  # noqa: S105 - no password: the packet passes on to the host's other rules
    """Leave the packet to whatever else the host has; never an accept."""
    DROP = "drop"
    """Count and discard."""


class Rule(NamedTuple):
    """One rule of a service's chain."""

    match: Match
    action: Action
    comment: str
    """For operators who list the kernel's rules."""


class LocalNetwork(NamedTuple):
    """A network that is trusted on one interface, where it belongs, and nowhere else."""

    interface: str
    """Name of the interface; ``*`` at the end stands for any rest."""
    prefix: Prefix


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


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All that the kernel should hold."""

    services: tuple[FencedService, ...] = ()
    interfaces: tuple[str, ...] = ()
    sets: Mapping[SetKey, PrefixSet] = field(default_factory=dict)
    local: tuple[LocalNetwork, ...] = ()
    """Networks that are allowed on the interfaces where they belong, in ascending order."""

    def rules(self, service: FencedService) -> tuple[Rule, ...]:
        """The chain that decides a packet for one of the service's ports, first match first."""
        passed = Action.PASS
        return (
            *(
                Rule(ArrivedBy(interface), passed, "trusted interface")
                for interface in self.interfaces
            ),
            Rule(NotForThisHost(), passed, "not addressed to this host"),
            Rule(SourceIn(Role.EXCEPTION, service.name), passed, "exceptions and local networks"),
            Rule(OfKnownFlow(), passed, "belongs to a known flow"),
            Rule(SourceIn(Role.ALLOW, service.allow_group), passed, "allowed countries"),
            Rule(Anything(), Action.DROP, "everyone else"),
        )
