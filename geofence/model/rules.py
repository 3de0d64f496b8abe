"""Rules: what of a packet they match, and what they do with it, in no backend's language."""

from __future__ import annotations

from enum import StrEnum

from geofence.model.frozen import NamedTuple, dataclass
from geofence.model.ports import Protocol
from geofence.model.prefixes import Prefix
from geofence.model.sets import Role

ADMITTED = 101
"""Number of the conntrack label of a flow that the fence admitted when it began."""
BEGUN = 103
"""Number of the conntrack label of a flow that this host, or one behind it, began."""


SIP_RESPONSE = b"SIP/"
"""What a SIP response begins with (RFC 3261, 7.2)."""
NO_BEGINNINGS = (
    SIP_RESPONSE,
    *(b"ACK ", b"BYE ", b"CANC", b"PRAC", b"UPDA", b"INFO", b"NOTI", b"REFE"),
)
"""The first four bytes of what is sent within a dialog or a transaction (RFC 3261, 3262, 3311,
3515, 6086, 6665)."""


class LocalNetwork(NamedTuple):
    """A network that is trusted on one interface, where it belongs, and nowhere else."""

    interface: str
    """Name of the interface; ``*`` at the end stands for any rest."""
    prefix: Prefix

    def __str__(self) -> str:
        return f"{self.prefix}@{self.interface}"


@dataclass(frozen=True, slots=True)
class ArrivedBy:
    """The packet came in by this interface; ``*`` at the end stands for any rest."""

    interface: str


@dataclass(frozen=True, slots=True)
class LeavesBy:
    """The packet is sent by this interface; ``*`` at the end stands for any rest."""

    interface: str


@dataclass(frozen=True, slots=True)
class SourceIn:
    """The source address is in the set of the packet's family."""

    role: Role
    group: str


@dataclass(frozen=True, slots=True)
class DestinationIn:
    """The destination address is in the set of the packet's family."""

    role: Role
    group: str


@dataclass(frozen=True, slots=True)
class SourceWithin:
    """The source address has this prefix."""

    prefix: Prefix


@dataclass(frozen=True, slots=True)
class FromLocal:
    """The source is in a local network, and the packet came in by that network's interface."""

    network: LocalNetwork


@dataclass(frozen=True, slots=True)
class ToLocal:
    """The destination is in a local network, and the packet is sent by its interface."""

    network: LocalNetwork


@dataclass(frozen=True, slots=True)
class Reply:
    """The packet answers a flow that this host, or a machine behind it, began.

    It is in the reply direction of a flow that carries the mark (see ``Action.BEGIN``). ESTABLISHED
    says less: it holds in both directions, whoever began, and also if nobody looked.
    """


@dataclass(frozen=True, slots=True)
class Admitted:
    """The packet is in the original direction of a flow that the fence admitted earlier.

    See ``Action.ADMIT``. The first packet of a flow, which the rules may see more than once, has no
    flow yet that conntrack would confirm.
    """


@dataclass(frozen=True, slots=True)
class ExpectedBy:
    """A conntrack helper of this name announced the packet's flow."""

    helper: str


@dataclass(frozen=True, slots=True)
class Answering:
    """The packet is in the reply direction of its flow: it answers who began it."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The packet that is sent is in a flow that carries the mark (see ``Action.BEGIN``)."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """The packet that is sent may begin a flow: TCP's SYN, or a datagram but for ``NO_BEGINNINGS``.

    Responses, and requests within a dialog, go where somebody else has said: in ``Via`` (RFC 3261,
    18.2.2) or ``Contact`` (12.2.1.1). One forged request makes the PBX send them to a stranger.
    """

    protocol: Protocol


@dataclass(frozen=True, slots=True)
class OfKnownFlow:
    """conntrack knows the flow of a packet that is sent, or does not track it at all."""


@dataclass(frozen=True, slots=True)
class Stray:
    """The packet that is sent can only belong to a flow: a SIP response, or TCP but a SYN."""

    protocol: Protocol


@dataclass(frozen=True, slots=True)
class Anything:
    """Every packet that comes this far."""


Match = (
    ArrivedBy
    | LeavesBy
    | SourceIn
    | DestinationIn
    | SourceWithin
    | FromLocal
    | ToLocal
    | Reply
    | Admitted
    | ExpectedBy
    | Answering
    | Begun
    | Beginning
    | OfKnownFlow
    | Stray
    | Anything
)


class Action(StrEnum):
    """What a rule does with a packet."""

    PASS = "pass"  # noqa: S105 - no password: the packet passes on to the host's other rules
    """Leave the packet to whatever else the host has; never an accept."""
    ADMIT = "admit"
    """Pass, and mark the packet's flow: it goes on even if a later list lacks its source.

    The mark is a conntrack label. Nothing but a rule of the fence sets it, and it goes with the
    flow. A flow that began before the kernel kept labels cannot be marked; its packets pass by the
    set alone.
    """
    LOCAL = "local"
    """Go on with the rules of local networks (``Ruleset.local_rules``)."""
    BEGIN = "begin"
    """Pass, and mark the packet's flow as one that was begun here: what answers it is a reply."""
    BANNED = "banned"
    """Go on with the rules of banned sources (``Ruleset.banned_rules``)."""
    TURN_AWAY = "turn away"
    """Note the source, then drop."""
    DROP = "drop"
    """Count and discard; where a service is only observed, count and pass."""


class Rule(NamedTuple):
    """One rule of a service's chain."""

    match: Match
    action: Action
    comment: str
    """For operators who list the kernel's rules."""
