"""Sets of the table: what each is for, what it is called, and what it looks like in the kernel.

Apart from the other objects: who reads what one set holds needs nothing of rules and chains.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from geofence.backends.nftables import uapi
from geofence.model.prefixes import Family
from geofence.model.sets import NOTED_ROLES, SetKey, SetKind

_NEAR = "near"
_NUMBERED = "/"
"""Comes before the number of a further name; no service's name holds a slash."""
_KEY_TYPES = {Family.IPV4: 7, Family.IPV6: 8}
"""nft's ``TYPE_IPADDR`` and ``TYPE_IP6ADDR``: how it prints keys; the kernel only keeps it."""


class PrefilterKey(NamedTuple):
    """Which prefilter."""

    service: str
    family: Family

    @property
    def name(self) -> str:
        """Unique among geofence's sets: ``near4-sip``."""
        return f"{_NEAR}{self.family.digit}-{self.service}"

    @classmethod
    def parse(cls, name: str) -> PrefilterKey | None:
        """Return the key of a name; None for a name that geofence does not give."""
        stem, _, service = name.partition("-")
        for family in Family:
            if stem == f"{_NEAR}{family.digit}":
                return cls(service, family)
        return None


Key = SetKey | PrefilterKey
"""What a set is for."""


class KernelSet(NamedTuple):
    """The head of one set, without its elements."""

    name: str
    flags: int
    key_type: int
    key_length: int
    """Bytes."""


def set_of(key: Key, name: str) -> KernelSet:
    """Return the set of a key under one of its names."""
    octets = key.family.bits // 8
    flags = uapi.SetFlag(0)
    if isinstance(key, SetKey):
        noted = key.role in NOTED_ROLES
        flags |= uapi.SetFlag.EVAL if noted else uapi.SetFlag.INTERVAL
    if is_runtime(key):
        flags |= uapi.SetFlag.TIMEOUT
    return KernelSet(name, flags, _KEY_TYPES[key.family], octets)


def is_runtime(key: Key | None) -> bool:
    """Whether a set's elements come and go at run time."""
    return isinstance(key, SetKey) and key.kind is SetKind.RUNTIME


def names_for(usual: str) -> Iterator[str]:
    """Yield a set's or chain's usual name, and without end those it can have beside it."""
    yield usual
    yield from (f"{usual}{_NUMBERED}{number}" for number in count(2))


def usual_name(name: str) -> str:
    """Return the usual name of one that ``names_for`` gives."""
    return name.partition(_NUMBERED)[0]


def key_of(held: KernelSet) -> Key | None:
    """Return what a set is for; None for one that geofence does not make, in name or in shape."""
    name = usual_name(held.name)
    key = SetKey.parse(name) or PrefilterKey.parse(name)
    own = key is not None and held == set_of(key, held.name)
    return key if own else None
