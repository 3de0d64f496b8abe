"""Facts about the rules of other programs, and those rules as far as they matter here."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from geofence.model.frozen import dataclass, field, replace
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family

HIGHEST = 65535


class Span(NamedTuple):
    """A range of ports, both ends included."""

    first: int
    last: int


Spans = tuple[Span, ...]
ALL: Spans = (Span(0, HIGHEST),)


class Direction(StrEnum):
    """Which packets."""

    IN = "in"
    """Those that arrive for a fenced port."""
    OUT = "out"
    """Those that this host sends from a fenced port."""


@dataclass(frozen=True, slots=True)
class Untracked:
    """A rule keeps packets of a fenced service out of connection tracking.

    Whichever direction is untracked, replies to what the PBX began belong to no known connection.
    """

    service: str
    ports: Ports
    """The fenced ports that the rule is about."""
    direction: Direction
    families: tuple[Family, ...]
    conditional: bool
    """Whether the rule has further conditions (addresses, interfaces), which were not weighed."""
    place: str
    """Where the rule is: ``iptables raw PREROUTING``, ``nft inet foo prerouting``."""


@dataclass(frozen=True, slots=True)
class Redirected:
    """A rule delivers to a fenced port what came for a port that is not fenced for that service."""

    service: str
    named: Ports
    """The ports that the sender names."""
    target: Ports
    """The fenced ports that the packets are delivered to."""
    address: str | None
    """The address that they are delivered to; None for this host's own."""
    families: tuple[Family, ...]
    conditional: bool
    """Whether the rule has further conditions (addresses, interfaces), which were not weighed."""
    place: str
    """Where the rule is: ``iptables nat PREROUTING``, ``nft inet foo nat``."""


@dataclass(frozen=True, slots=True)
class OtherRules:
    """What other programs' rules do to the fenced services."""

    untracked: tuple[Untracked, ...] = ()
    redirected: tuple[Redirected, ...] = ()
    unread: tuple[str, ...] = ()
    """Programs that could not tell: they failed, or gave what is not understood."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Which packets a rule is about."""

    families: frozenset[Family] = frozenset(Family)
    protocols: frozenset[Protocol] = frozenset(Protocol)
    destination: Spans = ALL
    """Destination ports."""
    source: Spans = ALL
    """Source ports."""
    further: bool = False
    """Whether there are conditions besides, which are not understood."""
    narrowing: bool = False
    """Whether some of those besides is more than an exclusion: ``! -s`` alone leaves nearly all."""
    new: bool = True
    """Whether the first packet of a connection can meet it."""

    def with_further(self, *, excluding: bool = False) -> Condition:
        """Return the condition with one more that is not understood.

        Args:
            excluding: whether it is met by all but some sources.
        """
        return replace(self, further=True, narrowing=self.narrowing or not excluding)


@dataclass(frozen=True, slots=True)
class Jump:
    """The packet continues in another chain of the same table."""

    chain: str


@dataclass(frozen=True, slots=True)
class NoTrack:
    """The packet stays out of connection tracking."""


class Verdict(StrEnum):
    """How a chain ends for a packet."""

    ACCEPT = "accept"
    DROP = "drop"
    """Silently or with an answer."""
    RETURN = "return"
    """It continues in the chain that jumped here."""


@dataclass(frozen=True, slots=True)
class Leave:
    """The chain ends for the packet."""

    verdict: Verdict = Verdict.RETURN


@dataclass(frozen=True, slots=True)
class Deliver:
    """The packet's destination is rewritten."""

    named: Spans
    """What the packet's destination port has to be, besides the condition of the rule."""
    target: Span
    """Destination ports afterwards."""
    address: str | None


Deed = Jump | NoTrack | Leave | Deliver


class OthersRule(NamedTuple):
    """One rule, as far as it matters: what it does with which packets."""

    condition: Condition
    deed: Deed


class Entry(NamedTuple):
    """A chain that packets to this host enter."""

    hook: str
    """``ingress``, ``prerouting`` or ``input``."""
    drops: bool
    """Whether its policy drops what no rule decides."""


@dataclass(frozen=True, slots=True)
class OthersTable:
    """One table of rules."""

    place: str
    """``iptables raw``, ``nft inet foo``."""
    hooks: Mapping[str, str] = field(default_factory=dict)
    """By the name of a chain that packets enter: ``prerouting`` or ``output``."""
    chains: Mapping[str, tuple[OthersRule, ...]] = field(default_factory=dict)
    families: frozenset[Family] = frozenset(Family)
    entries: Mapping[str, Entry] = field(default_factory=dict)
    """By the name of a chain that packets to this host enter."""
    helpers: tuple[str, ...] = ()
    """Chains or objects that give connections the conntrack helper for SIP."""

    @property
    def is_used(self) -> bool:
        """Whether it decides anything."""
        return any(self.chains.values()) or any(entry.drops for entry in self.entries.values())
