"""Routes and interfaces of this host, read from the kernel.

Routes tell all of it: the kernel makes one for each address, and takes it back when the address or
the interface goes. ``geofence restore`` asks this, too, and so it does without pyroute2 (see
docs/netlink.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from geofence.errors import BackendError
from geofence.model.prefixes import AddressSpace, Family
from geofence.netlink.messages import NETLINK_ROUTE, Message, Request
from geofence.netlink.socket import NetlinkSocket, translating
from geofence.routing.local_networks import Place
from geofence.routing.route_messages import (
    LINKS,
    NEXTHOPS,
    Link,
    LocalRoute,
    Route,
    local_request,
    nexthop_interfaces,
    parse_link,
    parse_local,
    parse_route,
    unicast_request,
)
from geofence.translation import tr


def read_places() -> tuple[Place, ...]:
    """Return each network that a unicast route of any table leads to, with its interface.

    Routes of policy routing and VRFs count as others do, on the interface that they name; those of
    a VRF on its own interface, too, by which its packets are delivered. Routes to more than a
    private network (see ``BROADEST``) are left out.

    Raises:
        BackendError: the kernel's answer could not be had or understood.
    """
    with connected() as channel:
        links = tuple(_links(channel))
        names = {link.number: link.name for link in links}
        vrfs = {link.table: (link.number,) for link in links if link.table}
        routes = tuple(_routes(channel))
        by_object = any(route.nexthop for route in routes)
        objects = nexthop_interfaces(_dump(channel, NEXTHOPS)) if by_object else {}
    found = {
        Place(names[number], route.prefix, route.how)
        for route in routes
        for number in (
            *(route.interfaces or objects.get(route.nexthop, frozenset())),
            *vrfs.get(route.table, ()),
        )
        if number in names
    }
    return tuple(sorted(found))


def read_local() -> tuple[LocalRoute, ...]:
    """Return the addresses of this host: what routes of any table say is local.

    Raises:
        BackendError: the kernel's answer could not be had or understood.
    """
    with connected() as channel:
        return tuple(
            route
            for family in Family
            for kind, _, _, body in _dump(channel, local_request(family))
            if (route := parse_local(kind, body)) is not None
        )


def local_addresses() -> AddressSpace:
    """Return the addresses of this host, whatever table they are in.

    Raises:
        BackendError: the kernel's answer could not be had or understood.
    """
    return AddressSpace.of(route.prefix for route in read_local())


def read_links() -> tuple[Link, ...]:
    """Return the interfaces of this host.

    Raises:
        BackendError: the kernel's answer could not be had or understood.
    """
    with connected() as channel:
        return tuple(_links(channel))


@contextmanager
def connected(groups: int = 0) -> Iterator[NetlinkSocket]:
    """Open a socket for questions about routing.

    Args:
        groups: whose notifications are to be received, as a bit mask.

    Raises:
        BackendError: the kernel's answer could not be had or understood.
    """
    with translating(refusal), NetlinkSocket(NETLINK_ROUTE, groups) as channel:
        channel.filter_in_kernel()
        yield channel


def refusal(error: OSError | ValueError) -> BackendError:
    """Return what it means that the kernel does not tell its routes."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return BackendError(tr("The kernel does not tell this host's routes: {reason}.", reason=reason))


def _links(channel: NetlinkSocket) -> Iterator[Link]:
    for kind, _, _, body in _dump(channel, LINKS):
        link = parse_link(kind, body)
        if link:
            yield link


def _routes(channel: NetlinkSocket) -> Iterator[Route]:
    for family in Family:
        for kind, _, _, body in _dump(channel, unicast_request(family)):
            route = parse_route(kind, body)
            if route:
                yield route


def _dump(channel: NetlinkSocket, request: Request) -> Iterator[Message]:
    with suppress(FileNotFoundError):  # a host without any address has no routing table
        yield from channel.dump(request)
