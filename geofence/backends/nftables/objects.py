"""Objects of the table, and what geofence's are called and look like in the kernel.

Sets and chains that replace others are made beside them under numbered names, ``allow4/2``, which
they keep until they are replaced themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from geofence.backends.nftables import uapi
from geofence.backends.nftables.kernel_sets import KernelSet, Key, usual_name
from geofence.backends.nftables.uapi_names import InetHook, names_of
from geofence.model.frozen import NamedTuple, dataclass
from geofence.model.plan import Count

_NOTHING = Count(0, 0)


@dataclass(frozen=True, slots=True)
class KernelChain:
    """One chain; the last four are only a base chain's."""

    name: str
    flags: int = 0
    kind: str = ""
    hook: int | None = None
    priority: int = 0
    policy: int = uapi.NF_ACCEPT


class KernelRule(NamedTuple):
    """One rule of one chain."""

    chain: str
    expressions: bytes
    """Value of ``NFTA_RULE_EXPRESSIONS``."""
    userdata: bytes = b""
    """Value of ``NFTA_RULE_USERDATA``; holds the comment."""


@dataclass(frozen=True, slots=True)
class KernelObject:
    """A named stateful object."""

    name: str
    kind: int
    count: Count = _NOTHING
    """Zero for what is no counter."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a ruleset's sets and chains are called in the kernel."""

    sets: Mapping[Key, str]
    chains: Mapping[str, str]
    """By their usual names."""


def _base(hook: int, name: str) -> KernelChain:
    """Return the base chain of a hook, at the priority of mangle: conntrack has seen the packet.

    In prerouting, destination NAT has not.
    """
    return KernelChain(name, uapi.ChainFlag.BASE, "filter", hook, -150, uapi.NF_ACCEPT)


BASES = tuple(_base(hook, name) for hook, name in names_of(InetHook).items())
"""Where packets come to the rules."""
BASE, INPUT, FORWARD, OUTPUT = (each.name for each in BASES)
TRANSLATED = "translated"
"""The chain of what destination NAT has changed."""
MARKING = "marking"
"""The chain that marks the flows of admitted packets."""

GATE = "gate"
"""What is behind it comes into force when it opens."""
_COUNTER = "dropped-"
_FAMILY_TYPE = 2
"""nft's ``TYPE_NFPROTO``."""


class Part(StrEnum):
    """What a chain of a service decides; begins its name, so that no name is a word of nft's."""

    ARRIVED = "arrived"
    """What comes to the service's ports in prerouting, if most of it can be dropped at once."""
    KNOWN = "known"
    """What arrives of flows that conntrack knows."""
    FENCE = "fence"
    """What comes to the service's ports."""
    LOCAL = "local"
    """What comes from local networks."""
    OUT = "out"
    """What this host sends from the service's ports."""
    VIA = "via"
    """What machines behind this host send from them."""
    BAN = "ban"
    """What comes from banned addresses."""
    DENIED = "denied"
    """What is turned away."""
    NOTED4 = "noted4"
    """What of that came over IPv4: noted, counted and dropped."""
    NOTED6 = "noted6"
    """The same over IPv6."""
    FLOOD = "flood"
    """What of that is more than is noted: only counted and dropped."""


def chain_name(part: Part, service: str) -> str:
    """Return the usual name of a chain of a service."""
    return f"{part}-{service}"


def is_chain_name(name: str) -> bool:
    """Whether geofence gives such a name to a chain that is no base chain."""
    usual = usual_name(name)
    return usual in (TRANSLATED, MARKING) or usual.partition("-")[0] in list(Part)


def counter_of(service: str) -> KernelObject:
    """Return the counter of what a service's fence dropped; it outlives the rules that use it."""
    return KernelObject(_COUNTER + service, uapi.COUNTER)


def counted_service(held: KernelObject) -> str | None:
    """Return the service that an object counts for; None if geofence does not make it."""
    own = held.kind == uapi.COUNTER and held.name.startswith(_COUNTER)
    return held.name.removeprefix(_COUNTER) if own else None


def gate_of(name: str) -> KernelSet:
    """Return the gate under one of its names: a set of families, one byte each."""
    return KernelSet(name, uapi.SetFlag.INTERVAL, _FAMILY_TYPE, 1)


def is_gate(held: KernelSet) -> bool:
    """Whether geofence makes such a set as a gate."""
    return usual_name(held.name) == GATE and held == gate_of(held.name)
