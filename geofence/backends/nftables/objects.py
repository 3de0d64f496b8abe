"""What a table is made of, and what geofence's objects are called and look like in the kernel.

A set that replaces another is filled beside it under a numbered name, ``allow4/2``, which it keeps
until it is replaced itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from geofence.backends.nftables import kernel
from geofence.backends.nftables.near import NearKey
from geofence.model.plan import Count
from geofence.model.prefixes import Family
from geofence.model.ruleset import SetKey

Key = SetKey | NearKey
"""What a set is for."""
_NOTHING = Count(0, 0)


@dataclass(frozen=True, slots=True)
class KernelChain:
    """One chain; the last four are only a base chain's."""

    name: str
    flags: int = 0
    kind: str = ""
    hook: int | None = None
    priority: int = 0
    policy: int = kernel.NF_ACCEPT


@dataclass(frozen=True, slots=True)
class KernelRule:
    """One rule of one chain."""

    chain: str
    expressions: bytes
    """Value of ``NFTA_RULE_EXPRESSIONS``."""
    userdata: bytes = b""
    """Value of ``NFTA_RULE_USERDATA``; holds the comment."""


@dataclass(frozen=True, slots=True)
class KernelSet:
    """The head of one set, without its elements."""

    name: str
    flags: int
    key_type: int
    key_length: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class KernelObject:
    """A named stateful object."""

    name: str
    kind: int
    count: Count = _NOTHING
    """Zero for what is no counter."""


BASE = KernelChain(
    "prerouting",
    kernel.ChainFlag.BASE,
    "filter",
    kernel.PREROUTING,
    -150,  # NF_IP_PRI_MANGLE: conntrack has seen the packet, destination NAT has not
    kernel.NF_ACCEPT,
)
"""Where packets come in."""

_CHAIN = "fence-"
_COUNTER = "dropped-"
_NUMBERED = "/"
"""Comes before the number of a set's further name; no service's name holds a slash."""
_KEY_TYPES = {Family.IPV4: 7, Family.IPV6: 8}
"""nft's ``TYPE_IPADDR`` and ``TYPE_IP6ADDR``: how it prints keys; the kernel only keeps it."""


def chain_name(service: str) -> str:
    """The chain of a service; the prefix keeps it from being a word of nft's language."""
    return _CHAIN + service


def is_chain_name(name: str) -> bool:
    """Whether geofence gives such a name to a chain."""
    return name == BASE.name or name.startswith(_CHAIN)


def counter_of(service: str) -> KernelObject:
    """The counter of what a service's fence dropped; it outlives the rules that count on it."""
    return KernelObject(_COUNTER + service, kernel.COUNTER)


def counted_service(held: KernelObject) -> str | None:
    """The service that an object counts for; None for one that geofence does not make."""
    own = held.kind == kernel.COUNTER and held.name.startswith(_COUNTER)
    return held.name.removeprefix(_COUNTER) if own else None


def set_of(key: Key, name: str) -> KernelSet:
    """The set of a key under one of its names."""
    octets = key.family.bits // 8
    flags = kernel.SetFlag.INTERVAL if isinstance(key, SetKey) else kernel.SetFlag(0)
    return KernelSet(name, flags, _KEY_TYPES[key.family], octets)


def set_names(key: Key) -> Iterator[str]:
    """A set's names: its own, and without end those it can have while others of it are there."""
    yield key.name
    yield from (f"{key.name}{_NUMBERED}{number}" for number in count(2))


def key_of(held: KernelSet) -> Key | None:
    """What a set is for; None for one that geofence does not make, in name or in shape."""
    name = held.name.partition(_NUMBERED)[0]
    key = SetKey.parse(name) or NearKey.parse(name)
    own = key is not None and held == set_of(key, held.name)
    return key if own else None
