"""Sets of the table: what each is for, what it is called, and what it looks like in the kernel.

Apart from the other objects: who reads what one set holds needs nothing of rules and chains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from functools import lru_cache
from itertools import count

from geofence.backends.nftables import uapi
from geofence.backends.prefilter_key import NEAR, PrefilterKey
from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family
from geofence.model.sets import NOTED_ROLES, SetKey, SetKind

PARTS = 8
"""Sets over which the noted sources of a service and a family are spread.

Linux lists such a set by 32 KiB at a time, and each time goes through it from the front up to where
it was (``nft_rhash_walk``). Of 65,536 sources in one set, that is six times the work of eight."""
PART_BYTE = {Family.IPV4: 3, Family.IPV6: 5}
"""Which byte of a source's address tells the part: the last one; of IPv6, that of a /48 network, as
who has such a network could fill all parts otherwise."""
FLOOD_MILLISECONDS = 80
"""How long an address stays in a set of flooded ones. Then routes tell again whether it is still
this host's, and sources are noted again. Linux cleans up once a second, and a hash is made anew if
an address is there more than 16 times until then (``RHT_ELASTICITY``)."""
MOST_FLOODED = 256
"""Addresses there, with those not cleaned up yet; about others, routes are asked each time."""
_PART_NAMES = {str(part): part for part in range(PARTS)}
_FLOOD = "flood"
_KNOWN = 1024
"""Heads of sets of which it is remembered what they are for: a run asks several times."""
_NUMBERED = "/"
"""Comes before the number of a further name; no service's name holds a slash."""
_KEY_TYPES = {Family.IPV4: 7, Family.IPV6: 8}
"""nft's ``TYPE_IPADDR`` and ``TYPE_IP6ADDR``: how it prints keys; the kernel only keeps it."""


class FloodKey(NamedTuple):
    """Which set of addresses of this host at which more is dropped than is noted."""

    near: PrefilterKey
    """The prefilter that tells what is dropped there."""

    @property
    def family(self) -> Family:
        """That of the addresses."""
        return self.near.family

    @property
    def name(self) -> str:
        """Unique among geofence's sets: ``flood4-sip``."""
        return f"{_FLOOD}{self.family.digit}-{self.near.service}"

    @classmethod
    def parse(cls, name: str) -> FloodKey | None:
        """Return the key of a name; None for a name that geofence does not give."""
        near = PrefilterKey.parse(name.replace(_FLOOD, NEAR, 1))
        return cls(near) if near is not None and name.startswith(_FLOOD) else None


class PartKey(NamedTuple):
    """Which of the sets over which noted sources are spread."""

    whole: SetKey
    part: int
    """Below ``PARTS``."""

    @property
    def family(self) -> Family:
        """That of the sources."""
        return self.whole.family

    @property
    def name(self) -> str:
        """Unique among geofence's sets: ``denied4.0-sip``."""
        role, group, family = self.whole
        return f"{role}{family.digit}.{self.part}-{group}"

    @classmethod
    def parse(cls, name: str) -> PartKey | None:
        """Return the key of a name; None for a name that geofence does not give."""
        stem, _, group = name.partition("-")
        head, dot, part = stem.partition(".")
        whole = SetKey.parse(f"{head}-{group}") if dot else None
        if whole is None or whole.role not in NOTED_ROLES or part not in _PART_NAMES:
            return None
        return cls(whole, _PART_NAMES[part])


class LengthKey(NamedTuple):
    """Which of the sets that together hold a large set: its prefixes of one length."""

    whole: SetKey
    length: int

    @property
    def family(self) -> Family:
        """That of the prefixes."""
        return self.whole.family

    @property
    def name(self) -> str:
        """Unique among geofence's sets: ``allow4.24``, ``except6.48-sip``."""
        stem = f"{self.whole.role}{self.family.digit}.{self.length}"
        return f"{stem}-{self.whole.group}" if self.whole.group else stem

    @classmethod
    def parse(cls, name: str) -> LengthKey | None:
        """Return the key of a name; None for a name that geofence does not give."""
        stem, dash, group = name.partition("-")
        head, _, length = stem.partition(".")
        whole, bits = SetKey.parse(f"{head}{dash}{group}"), _LENGTHS.get(length, 0)
        if whole is None or whole.kind is not SetKind.DECLARED:
            return None
        return cls(whole, bits) if 0 < bits <= whole.family.bits else None


_LENGTHS = {str(length): length for length in range(1, Family.IPV6.bits + 1)}
"""Of prefixes, as names have them."""


def parts_of(whole: SetKey) -> tuple[PartKey, ...]:
    """Return the sets over which sources are spread."""
    return tuple(PartKey(whole, part) for part in range(PARTS))


def part_of(family: Family, network: int) -> int:
    """Return the part in which a source is noted."""
    return (network >> (family.bits - 8 * (PART_BYTE[family] + 1))) % PARTS


def whole_keys(keys: Iterable[Key]) -> set[SetKey]:
    """Return the sets of noted sources of which all parts are there."""
    number = Counter(key.whole for key in set(keys) if isinstance(key, PartKey))
    return {whole for whole, found in number.items() if found == PARTS}


def kernel_keys(key: SetKey) -> tuple[SetKey | PartKey, ...]:
    """Return the sets of the table that hold what a set of the fence holds."""
    return parts_of(key) if key.role in NOTED_ROLES else (key,)


Key = SetKey | PrefilterKey | FloodKey | PartKey | LengthKey
"""What a set is for."""


def whole_of(key: Key | None) -> SetKey | None:
    """Return the set of the fence of which a set of the table holds a part, or all."""
    if isinstance(key, PartKey | LengthKey):
        return key.whole
    return key if isinstance(key, SetKey) and not is_undivided(key) else None


def flood_keys(service: str, keys: Container[Key]) -> list[FloodKey]:
    """Return the sets of flooded addresses that a service has."""
    wanted = (FloodKey(PrefilterKey(service, family)) for family in Family)
    return [key for key in wanted if key in keys]


def by_length(whole: SetKey, keys: Iterable[Key]) -> list[LengthKey]:
    """Return the sets that together hold a large one, the shortest prefixes first."""
    return sorted(key for key in keys if isinstance(key, LengthKey) and key.whole == whole)


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
    flags = 0
    if isinstance(key, PartKey | FloodKey) or is_undivided(key):
        flags |= uapi.SetFlag.EVAL
    elif isinstance(key, SetKey):
        flags |= uapi.SetFlag.INTERVAL
    if is_runtime(key) or isinstance(key, FloodKey):
        flags |= uapi.SetFlag.TIMEOUT
    return KernelSet(name, flags, _KEY_TYPES[key.family], octets)


def is_runtime(key: Key | None) -> bool:
    """Whether a set's elements come and go at run time."""
    return isinstance(key, PartKey) or (isinstance(key, SetKey) and key.kind is SetKind.RUNTIME)


def is_undivided(key: Key | None) -> bool:
    """Whether it is one set for all noted sources, as geofence made it before."""
    return isinstance(key, SetKey) and key.role in NOTED_ROLES


def names_for(usual: str) -> Iterator[str]:
    """Yield a set's or chain's usual name, and without end those it can have beside it."""
    yield usual
    yield from (f"{usual}{_NUMBERED}{number}" for number in count(2))


def usual_name(name: str) -> str:
    """Return the usual name of one that ``names_for`` gives."""
    return name.partition(_NUMBERED)[0]


@lru_cache(maxsize=_KNOWN)
def key_of(held: KernelSet) -> Key | None:
    """Return what a set is for; None for one that geofence does not make, in name or in shape."""
    name = usual_name(held.name)
    key = (
        SetKey.parse(name)
        or PartKey.parse(name)
        or LengthKey.parse(name)
        or PrefilterKey.parse(name)
        or FloodKey.parse(name)
    )
    own = key is not None and held == set_of(key, held.name)
    return key if own else None
