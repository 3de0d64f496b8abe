"""Local networks: private networks that are trusted on the interface that reaches them. Pure.

An address says little by itself: a neighbour on the provider's network may have one of 10.0.0.0/8,
and so has every peer behind a proxy that hides sources. So a network that the rules name is
trusted only on the interface by which this host reaches it. On a Kubernetes node, networks of pods
are not trusted so, nor are those behind a gateway, which may be pods' as well.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable
from enum import StrEnum

from geofence.geoip.scopes import LINK_LOCAL, LOOPBACKS
from geofence.model.frozen import NamedTuple
from geofence.model.policy import LOOPBACK, Policy
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet
from geofence.model.ruleset import LocalNetwork
from geofence.routing.pods import interfaces_of_pods, is_of_guests


class Reached(StrEnum):
    """How this host reaches a network."""

    CONNECTED = "connected"
    """Directly: an interface has an address in it."""
    ROUTED = "routed"
    """By a gateway."""


class Place(NamedTuple):
    """A network, and the interface by which this host reaches it."""

    interface: str
    prefix: Prefix
    how: Reached


BROADEST = {Family.IPV4: 8, Family.IPV6: 7}
"""Lengths of 10.0.0.0/8 and fc00::/7, the broadest private networks. A shorter route leads to the
Internet or to a part of it (as 0.0.0.0/1 and 128.0.0.0/1 of a VPN do), not to a network of ours."""

_NOWHERE_BY_ROUTE = AddressSpace.of((*LINK_LOCAL, *LOOPBACKS))
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""Names that rules can write too; the kernel allows others, some of which mean more to iptables."""


def local_networks(policy: Policy, places: Iterable[Place]) -> tuple[LocalNetwork, ...]:
    """Return the networks to trust, each on its interface, ascending and without overlaps.

    Args:
        policy: the rules.
        places: what this host reaches, and by which interface.
    """
    named = [(each.interface, each.prefix) for each in policy.local_on]
    named += [(interface, prefix) for interface in policy.link_local for prefix in LINK_LOCAL]
    candidates = policy.local - _NOWHERE_BY_ROUTE
    met = {
        place[:2]
        for place in without_pods(places)
        if meets(candidates[place.prefix.family], place.prefix)
        and _counts(place, policy.interfaces)
    }
    named += [
        (interface, part)
        for interface, prefix in met
        for part in _common(candidates[prefix.family], prefix)
    ]
    return tuple(
        LocalNetwork(interface, prefix)
        for interface in sorted({interface for interface, _ in named})
        for prefix in _united(prefix for name, prefix in named if name == interface)
    )


def without_pods(places: Iterable[Place]) -> tuple[Place, ...]:
    """Return what a host reaches; of a Kubernetes node, only what is connected and no pods'.

    A gateway may be another node, and the network behind it its pods'; a route does not tell.
    """
    known = tuple(places)
    if not interfaces_of_pods(place.interface for place in known):
        return known
    return tuple(
        place
        for place in known
        if place.how is Reached.CONNECTED and not is_of_guests(place.interface)
    )


def where_trusted(networks: Iterable[LocalNetwork], family: Family, address: int) -> list[str]:
    """Return the interfaces on which the address is trusted."""
    return [
        interface
        for interface, prefix in networks
        if prefix.family is family and prefix.network <= address < prefix.past
    ]


def meets(candidates: PrefixSet, prefix: Prefix) -> bool:
    """Whether they have an address in common; as cheap as a table of all the Internet needs."""
    bounds = candidates.bounds
    at = bisect_right(bounds, prefix.network)
    return bool(at & 1) or (at < len(bounds) and bounds[at] < prefix.past)


def _counts(place: Place, trusted: Collection[str]) -> bool:
    interface, prefix, _ = place
    plain = interface != LOOPBACK and _PLAIN_NAME.fullmatch(interface)
    return bool(plain) and prefix.length >= BROADEST[prefix.family] and interface not in trusted


def _common(candidates: PrefixSet, prefix: Prefix) -> list[Prefix]:
    return (candidates & PrefixSet.of(prefix.family, (prefix,))).prefixes()


def _united(prefixes: Iterable[Prefix]) -> list[Prefix]:
    space = AddressSpace.of(prefixes)
    return [prefix for family in Family for prefix in space[family].prefixes()]
