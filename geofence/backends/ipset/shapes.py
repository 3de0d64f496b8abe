"""What kinds of IP sets geofence makes, by what they are for, and what they are called."""

from __future__ import annotations

from geofence.backends.prefilter_key import LENGTH, PrefilterKey
from geofence.lean import Path
from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family
from geofence.model.sets import (
    MOST_NOTED,
    NOTED_BITS,
    NOTED_ROLES,
    NOTED_SECONDS,
    Role,
    SetKey,
    SetKind,
)

MESSAGE_LIMIT = 60_000
"""Bytes of entries in one message; the length of a netlink attribute has 16 bits."""
SET_PREFIX = "geofence-"
CHAIN = "GEOFENCE"
"""Begins the names of chains."""
LEGACY_TABLES = {
    Family.IPV4: Path("/proc/net/ip_tables_names"),
    Family.IPV6: Path("/proc/net/ip6_tables_names"),
}
"""Where the kernel names the tables of legacy iptables that are in use."""
NET = "hash:net"
"""The type of sets of prefixes."""
ADDRESS = "hash:ip"
"""The type of sets of addresses, or of networks of one length."""
BITMAP = "bitmap:ip"
"""The type of a set with one bit for each network of one length, for IPv4 alone."""

# linux/netfilter/ipset/ip_set.h: enum ipset_cadt_flags
_COUNTERS = 1 << 3
_FORCEADD = 1 << 5
"""A set that is full gives up a random entry for a new one."""

_LEAST_CAPACITY = 65_536
_MOST_TIMED = 1 << 20
"""Entries of a set of bans or of exceptions for a time."""
_STAYS = 0


class Shape(NamedTuple):
    """How a set is made."""

    kind: str = NET
    seconds: int | None = None
    """How long an entry stays that names no time-out, 0 for ever; None: none may have one."""
    flags: int = 0
    most: int = _LEAST_CAPACITY
    """Entries that it can hold; a declared set, its own number at least."""
    netmask: int = 0
    """Bits of an address that count; 0: all."""


Key = SetKey | PrefilterKey
"""What an IP set is for."""


def shapes_of(key: Key) -> tuple[Shape, ...]:
    """Return the shapes that a set may have, the best one first.

    The last one is of a type that every kernel with ipset has.
    """
    if isinstance(key, SetKey):
        return (shape_of(key),)
    bits = (Shape(BITMAP, netmask=LENGTH),) if key.family is Family.IPV4 else ()
    return (*bits, Shape())


def shape_of(key: SetKey) -> Shape:
    """Return the shape of a set."""
    if key.role in NOTED_ROLES:
        counters = _COUNTERS if key.role is Role.DENIED else 0
        bits = NOTED_BITS[key.family]
        mask = bits if bits < key.family.bits else 0
        return Shape(ADDRESS, NOTED_SECONDS, counters | _FORCEADD, MOST_NOTED, mask)
    if key.kind is SetKind.RUNTIME:
        return Shape(NET, _STAYS, _COUNTERS, _MOST_TIMED)
    return Shape(NET, None, _COUNTERS if key.role is Role.EXCEPTION else 0)


def set_name(key: Key) -> str:
    """Return the kernel name of a set."""
    return SET_PREFIX + key.name


def is_own(name: str) -> bool:
    """Whether it is the name of a set that is geofence's."""
    return name.startswith(SET_PREFIX)


def set_key(name: str) -> Key | None:
    """Return the key of a kernel name; None for a set that is not geofence's."""
    if not is_own(name):
        return None
    stem = name.removeprefix(SET_PREFIX)
    return SetKey.parse(stem) or PrefilterKey.parse(stem)
