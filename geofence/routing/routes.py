"""The edge: reads from the kernel which networks this host reaches, and by which interface.

Routes tell all of it: the kernel makes one for each address, and takes it back when the address or
the interface goes. Layouts: ``linux/rtnetlink.h``, ``linux/nexthop.h``.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress

from geofence.flows import conntrack_messages
from geofence.flows.conntrack import STRICT_CHECK, dump, netlink
from geofence.model.prefixes import Family, Prefix
from geofence.netlink.attributes import MalformedError, as_number, padded, values
from geofence.netlink.messages import DUMP, NETLINK_ROUTE, REQUEST, pack
from geofence.routing.local_networks import BROADEST, Place, Reached

_ROUTE = struct.Struct("=BBBBBBBBI")
"""Family, destination length, source length, tos, table, protocol, scope, type, flags."""
_NEW_ROUTE = 24
_GET_ROUTE = 26
_UNICAST = 1
_CACHED = 0x200
"""``RTM_F_CLONED``: learned for one destination, not configured."""
_DST, _OIF, _GATEWAY, _MULTIPATH, _TABLE, _VIA, _NEXTHOP = 1, 4, 5, 9, 15, 18, 30
_HOP = struct.Struct("=HBBi")
"""Length, flags, hops, interface."""

_NEW_NEXTHOP = 104
_GET_NEXTHOP = 106
_NEXTHOP_HEAD_SIZE = 8
"""``struct nhmsg``."""
_NH_ID, _NH_GROUP, _NH_OIF = 1, 2, 5
_MEMBER = struct.Struct("=IBBH")
"""Identifier, weight, more of the weight, nothing."""

_CUT_SHORT = "a hop of a route is cut short"
_FAMILIES = {family.socket_family: family for family in Family}


Hops = tuple[frozenset[int], int]
"""Indexes of interfaces, or the identifier of a nexthop object that stands for some."""
Route = tuple[Prefix, Reached, Hops, int]
"""The last is the routing table."""


def read_places() -> tuple[Place, ...]:
    """Each network that a unicast route of any table leads to, and its interface; each once.

    Those of policy routing and VRFs count as others do, on the interface that they name; those of a
    VRF on its own interface, too, by which its packets are delivered. Routes to
    more than a private network (see ``BROADEST``) are left out.

    Raises:
        BackendError: the kernel's answer could not be had or understood.
    """
    with netlink(NETLINK_ROUTE, "read this host's routes") as channel:
        answers = dump(channel, conntrack_messages.links_request())
        links = [
            link
            for kind, _, _, body in answers
            if (link := conntrack_messages.parse_link(kind, body))
        ]
        names = {link.number: link.name for link in links}
        vrfs = {link.table: (link.number,) for link in links if link.table}
        with suppress(OSError):  # kernels before 4.20 send every route; others are left out here
            channel.setsockopt(*STRICT_CHECK, 1)
        routes = tuple(_routes(channel))
        objects = _nexthops(channel) if any(hops[1] for _, _, hops, _ in routes) else {}
    found = {
        Place(names[number], prefix, how)
        for prefix, how, (numbers, nexthop), table in routes
        for number in (*(numbers or objects.get(nexthop, frozenset())), *vrfs.get(table, ()))
        if number in names
    }
    return tuple(sorted(found))


def _routes(channel: socket.socket) -> Iterator[Route]:
    for family in Family:
        head = _ROUTE.pack(family.socket_family, 0, 0, 0, 0, 0, 0, _UNICAST, 0)
        for kind, _, _, body in dump(channel, pack(_GET_ROUTE, REQUEST | DUMP, 0, head)):
            route = parse_route(kind, body)
            if route:
                yield route


def parse_route(kind: int, body: bytes) -> Route | None:
    """Where one route of the answer leads; None for one that does not count.

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
    one = int.from_bytes(found.get(_OIF, b""), sys.byteorder)
    numbers = frozenset((*_hops(found.get(_MULTIPATH, b"")), *((one,) if one else ())))
    nexthop = int.from_bytes(found.get(_NEXTHOP, b""), sys.byteorder)
    table = int.from_bytes(found.get(_TABLE, b""), sys.byteorder)
    return prefix, how, (numbers, 0 if numbers else nexthop), table


def _hops(data: bytes) -> Iterator[int]:
    """The interfaces of a route that has several."""
    at = 0
    while len(data) - at >= _HOP.size:
        length, _, _, number = _HOP.unpack_from(data, at)
        if not _HOP.size <= length <= len(data) - at:
            raise MalformedError(_CUT_SHORT)
        yield number
        at += padded(length)


def _nexthops(channel: socket.socket) -> Mapping[int, frozenset[int]]:
    """The interfaces of each nexthop object; those of a group are its members'.

    The kernel names an object alone where ``net.ipv4.nexthop_compat_mode`` is off.
    """
    single: dict[int, frozenset[int]] = {}
    groups: dict[int, list[int]] = {}
    for kind, _, _, body in dump(channel, pack(_GET_NEXTHOP, REQUEST | DUMP, 0, bytes(8))):
        if kind == _NEW_NEXTHOP:
            found = values(body[_NEXTHOP_HEAD_SIZE:])
            ident, one = (
                int.from_bytes(found.get(which, b""), sys.byteorder) for which in (_NH_ID, _NH_OIF)
            )
            single[ident] = frozenset((one,) if one else ())
            members = found.get(_NH_GROUP, b"")
            whole = len(members) // _MEMBER.size * _MEMBER.size
            groups[ident] = [member for member, *_ in _MEMBER.iter_unpack(members[:whole])]
    return {
        ident: numbers.union(*(single.get(member, frozenset()) for member in groups[ident]))
        for ident, numbers in single.items()
    }
