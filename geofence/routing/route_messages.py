"""Routes, interfaces and next hops as rtnetlink messages: pure functions.

Layouts: ``linux/rtnetlink.h``, ``linux/if_link.h``, ``linux/nexthop.h``.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Iterator, Mapping

from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family, Prefix
from geofence.netlink.attributes import MalformedError, as_number, as_string, padded, values
from geofence.netlink.messages import DUMP, REQUEST, Message, Request
from geofence.routing.local_networks import BROADEST, Reached

_FAMILIES = {family.socket_family: family for family in Family}

_NEW_LINK, _GET_LINK = 16, 18
_LINK = struct.Struct("=BxHiII")
"""Family, type, index, flags, which flags change."""
_IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO = 3, 10, 18
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_IFLA_VRF_TABLE = 1

_NEW_ROUTE, _GET_ROUTE = 24, 26
_ROUTE = struct.Struct("=BBBBBBBBI")
"""Family, destination length, source length, tos, table, protocol, scope, type, flags."""
_UNICAST, _LOCAL = 1, 2
_CACHED = 0x200
"""``RTM_F_CLONED``: learned for one destination, not configured."""
_DST, _OIF, _GATEWAY, _MULTIPATH, _TABLE, _VIA, _NEXTHOP = 1, 4, 5, 9, 15, 18, 30
_HOP = struct.Struct("=HBBi")
"""Length, flags, hops, interface."""

_NEW_NEXTHOP, _GET_NEXTHOP = 104, 106
_NEXTHOP_HEAD_SIZE = 8
"""``struct nhmsg``."""
_NH_ID, _NH_GROUP, _NH_OIF = 1, 2, 5
_MEMBER = struct.Struct("=IBBH")
"""Identifier, weight, more of the weight, nothing."""

_CUT_SHORT = "a hop of a route is cut short"


class Link(NamedTuple):
    """One interface."""

    number: int
    """Its index."""
    name: str
    table: int
    """The routing table of the VRF that it is; 0 for any other."""
    kind: str = ""
    """What it is made of, such as ``wireguard`` or ``tun``; empty for hardware."""
    master: int = 0
    """Index of the bridge, bond or VRF that it is part of; 0 for none."""


class LocalRoute(NamedTuple):
    """Addresses that are this host's."""

    prefix: Prefix
    table: int
    """The routing table that says so."""


class Route(NamedTuple):
    """Where packets to a network go."""

    prefix: Prefix
    how: Reached
    interfaces: frozenset[int]
    """Indexes; empty where a next hop object stands for them."""
    nexthop: int
    """Identifier of that object; 0 for none."""
    table: int
    """The routing table."""


LINKS = Request(_GET_LINK, REQUEST | DUMP, _LINK.pack(0, 0, 0, 0, 0))
"""Asks for every interface."""
NEXTHOPS = Request(_GET_NEXTHOP, REQUEST | DUMP, bytes(_NEXTHOP_HEAD_SIZE))
"""Asks for every next hop object."""


def local_request(family: Family) -> Request:
    """Return a request for the addresses of this host, also those in a table of a VRF."""
    return _routes_request(family, _LOCAL)


def unicast_request(family: Family) -> Request:
    """Return a request for the routes of all tables that lead somewhere."""
    return _routes_request(family, _UNICAST)


def _routes_request(family: Family, route_type: int) -> Request:
    head = _ROUTE.pack(family.socket_family, 0, 0, 0, 0, 0, 0, route_type, 0)
    return Request(_GET_ROUTE, REQUEST | DUMP, head)


def parse_link(kind: int, body: bytes) -> Link | None:
    """Return the interface that a message describes; None if it describes none.

    Raises:
        MalformedError: the message is cut short.
    """
    if kind != _NEW_LINK or len(body) < _LINK.size:
        return None
    _, _, number, _, _ = _LINK.unpack_from(body)
    facts = values(body[_LINK.size :])
    info = values(facts.get(_IFLA_LINKINFO, b""))
    of_what = as_string(info.get(_IFLA_INFO_KIND))
    vrf = values(info.get(_IFLA_INFO_DATA, b"")) if of_what == "vrf" else {}
    return Link(
        number,
        as_string(facts.get(_IFLA_IFNAME)),
        _host_number(vrf.get(_IFLA_VRF_TABLE)),
        of_what,
        _host_number(facts.get(_IFLA_MASTER)),
    )


def parse_local(kind: int, body: bytes) -> LocalRoute | None:
    """Return the addresses that a route makes this host's; None for any other route.

    A route that makes every address local is a transparent proxy's, which only some packets take.

    Raises:
        MalformedError: the message is cut short.
    """
    if kind != _NEW_ROUTE or len(body) < _ROUTE.size:
        return None
    number, length, _, _, _, _, _, route_type, _ = _ROUTE.unpack_from(body)
    family = _FAMILIES.get(number)
    facts = values(body[_ROUTE.size :])
    if route_type != _LOCAL or not length or not family or not facts.get(_DST):
        return None
    prefix = Prefix(family, as_number(facts[_DST]), length)
    return LocalRoute(prefix, _host_number(facts.get(_TABLE)))


def parse_route(kind: int, body: bytes) -> Route | None:
    """Return the route that a message describes; None for one that does not count.

    Raises:
        MalformedError: the message is cut short.
    """
    if kind != _NEW_ROUTE or len(body) < _ROUTE.size:
        return None
    number, length, _, _, _, _, _, route_type, flags = _ROUTE.unpack_from(body)
    family = _FAMILIES.get(number)
    if family is None or route_type != _UNICAST or flags & _CACHED or length < BROADEST[family]:
        return None
    found = values(body[_ROUTE.size :])
    prefix = Prefix(family, as_number(found.get(_DST)), length)
    by_gateway = _GATEWAY in found or _VIA in found or _MULTIPATH in found
    how = Reached.ROUTED if by_gateway else Reached.CONNECTED
    one = _host_number(found.get(_OIF))
    numbers = frozenset((*_hops(found.get(_MULTIPATH, b"")), *((one,) if one else ())))
    nexthop = 0 if numbers else _host_number(found.get(_NEXTHOP))
    return Route(prefix, how, numbers, nexthop, _host_number(found.get(_TABLE)))


def _hops(data: bytes) -> Iterator[int]:
    """Yield the interfaces of a route that has several."""
    at = 0
    while len(data) - at >= _HOP.size:
        length, _, _, number = _HOP.unpack_from(data, at)
        if not _HOP.size <= length <= len(data) - at:
            raise MalformedError(_CUT_SHORT)
        yield number
        at += padded(length)


def nexthop_interfaces(answers: Iterable[Message]) -> Mapping[int, frozenset[int]]:
    """Return the interfaces of each next hop object; those of a group are its members'.

    The kernel names an object alone where ``net.ipv4.nexthop_compat_mode`` is off.
    """
    single: dict[int, frozenset[int]] = {}
    groups: dict[int, list[int]] = {}
    for kind, _, _, body in answers:
        if kind == _NEW_NEXTHOP:
            found = values(body[_NEXTHOP_HEAD_SIZE:])
            ident, one = (_host_number(found.get(which)) for which in (_NH_ID, _NH_OIF))
            single[ident] = frozenset((one,) if one else ())
            members = found.get(_NH_GROUP, b"")
            whole = len(members) // _MEMBER.size * _MEMBER.size
            groups[ident] = [member for member, *_ in _MEMBER.iter_unpack(members[:whole])]
    return {
        ident: numbers.union(*(single.get(member, frozenset()) for member in groups[ident]))
        for ident, numbers in single.items()
    }


def _host_number(value: bytes | None) -> int:
    """Return an integer in this host's byte order; zero for an attribute that is not there."""
    return int.from_bytes(value or b"", sys.byteorder)
