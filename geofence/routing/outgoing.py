"""The interface by which this host sends to an address, asked of the kernel with pyroute2.

``geofence restore`` does not ask this, so it does not pay for importing pyroute2 (see
docs/netlink.md).
"""

from __future__ import annotations

from collections.abc import Iterable

from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family, address_text
from geofence.routing.routes import refusal

_UNICAST = 1
"""``RTN_UNICAST``: a route that leads somewhere."""


class RouteQuery(NamedTuple):
    """A question for the route from an address of this host to another host."""

    family: Family
    to: int
    by: int
    """This host's address; 0 for whichever the kernel would take."""
    vrf: int = 0
    """Index of the VRF's interface, if the address is in one."""


def outgoing_interfaces(queries: Iterable[RouteQuery]) -> dict[RouteQuery, int]:
    """Return the index of the interface of each route; 0 where there is no route.

    Raises:
        BackendError: the kernel cannot be asked.
    """
    from pyroute2 import IPRoute  # takes 130 ms
    from pyroute2.netlink.exceptions import NetlinkError

    found: dict[RouteQuery, int] = {}
    try:
        with IPRoute() as netlink:
            for query in queries:
                try:
                    (route,) = netlink.route("get", **_arguments(query))
                except NetlinkError:  # unreachable, or the address is no longer this host's
                    found[query] = 0
                else:
                    leads = route["type"] == _UNICAST
                    found[query] = int(route.get("oif") or 0) if leads else 0
    except OSError as error:
        raise refusal(error) from error
    return found


def _arguments(query: RouteQuery) -> dict[str, int | str]:
    arguments: dict[str, int | str] = {
        "family": query.family.socket_family,
        "dst": address_text(query.family, query.to),
    }
    if query.by:
        arguments["src"] = address_text(query.family, query.by)
    if query.vrf:
        arguments["oif"] = query.vrf
    return arguments
