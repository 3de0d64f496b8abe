"""Special-purpose addresses, which no country and no public list of allowed addresses has.

Sources: IANA's IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890) as of 2026-01, without
those few blocks that are globally reachable and therefore delegated like any other; RFC 5771 for
IPv4 multicast; IANA's IPv6 Address Space registry, by which all global unicast is in ``2000::/3``.

netaddr knows most of these, but only as predicates of one address (``is_reserved()``) and without
their names; sets are needed here.
"""

from __future__ import annotations

import socket
from bisect import bisect_right
from functools import cache

from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet

_TABLE = """\
0.0.0.0/8 this network
10.0.0.0/8 private use
100.64.0.0/10 carrier-grade NAT
127.0.0.0/8 loopback
169.254.0.0/16 link-local
172.16.0.0/12 private use
192.0.0.0/24 IETF protocol assignments
192.0.2.0/24 documentation
192.88.99.0/24 deprecated 6to4 relays
192.168.0.0/16 private use
198.18.0.0/15 benchmarking
198.51.100.0/24 documentation
203.0.113.0/24 documentation
224.0.0.0/4 multicast
240.0.0.0/4 reserved
::/128 unspecified
::1/128 loopback
::ffff:0:0/96 IPv4-mapped
64:ff9b::/96 IPv4/IPv6 translation
64:ff9b:1::/48 local-use translation
100::/64 discard-only
100:0:0:1::/64 dummy prefix
2001::/32 Teredo
2001:2::/48 benchmarking
2001:10::/28 deprecated ORCHID
2001:db8::/32 documentation
2002::/16 6to4
3fff::/20 documentation
5f00::/16 segment routing
fc00::/7 unique local
fe80::/10 link-local
ff00::/8 multicast
::/3 not global unicast
4000::/2 not global unicast
8000::/1 not global unicast
"""


class SpecialPurpose(NamedTuple):
    """A block that is not for public use."""

    prefix: Prefix
    name: str

    def __str__(self) -> str:
        return f"{self.prefix} ({self.name})"


@cache
def special_blocks() -> tuple[SpecialPurpose, ...]:
    """Return all blocks, those with the more specific names first."""
    return tuple(_block(*line.split(" ", 1)) for line in _TABLE.splitlines())


def _block(text: str, name: str) -> SpecialPurpose:
    address, length = text.split("/")
    family = Family.IPV6 if ":" in address else Family.IPV4
    network = int.from_bytes(socket.inet_pton(family.socket_family, address))
    return SpecialPurpose(Prefix(family, network, int(length)), name)


@cache
def special_space() -> AddressSpace:
    """Return the union of all blocks."""
    return AddressSpace.of(block.prefix for block in special_blocks())


@cache
def public_addresses(family: Family) -> int:
    """Return the number of addresses outside these blocks."""
    return (1 << family.bits) - special_space()[family].size


def special_in(space: AddressSpace) -> tuple[SpecialPurpose, ...]:
    """Return the blocks that share an address with the space."""
    return tuple(
        block for block in special_blocks() if _meets(space[block.prefix.family], block.prefix)
    )


def _meets(addresses: PrefixSet, prefix: Prefix) -> bool:
    """Whether an address is in both, by one bisection, however long the list."""
    bounds = addresses.bounds
    at = bisect_right(bounds, prefix.network)
    return bool(at & 1) or (at < len(bounds) and bounds[at] < prefix.past)
