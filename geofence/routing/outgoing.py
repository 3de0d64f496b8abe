"""The interface by which this host sends to an address, asked of the kernel with pyroute2.

``geofence restore`` does not ask this, so it does not pay for importing pyroute2 (see
docs/netlink.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from geofence.model.prefixes import Family, address_text
from geofence.routing.routes import refusal

_UNICAST = 1
"""``RTN_UNICAST``: a route that leads somewhere."""


class Way(NamedTuple):
    """From an address of this host to another host."""

    family: Family
    to: int
    by: int
    """This host's address; 0 for whichever the kernel would take."""
    vrf: int = 0
    """Index of the VRF's interface, if the address is in one."""


def outgoing_interfaces(ways: Iterable[Way]) -> dict[Way, int]:
    """Return the index of the interface that each way goes by; 0 where no route leads there.

    Raises:
        BackendError: the kernel cannot be asked.
    """
    from pyroute2 import IPRoute  # takes 130 ms
    from pyroute2.netlink.exceptions import NetlinkError

    found: dict[Way, int] = {}
    try:
        with IPRoute() as netlink:
            for way in ways:
                try:
                    (route,) = netlink.route("get", **_question(way))
                except NetlinkError:  # unreachable, or the address is no longer this host's
                    found[way] = 0
                else:
                    leads = route["type"] == _UNICAST
                    found[way] = int(route.get("oif") or 0) if leads else 0
    except OSError as error:
        raise refusal(error) from error
    return found


def _question(way: Way) -> dict[str, int | str]:
    question: dict[str, int | str] = {
        "family": way.family.socket_family,
        "dst": address_text(way.family, way.to),
    }
    if way.by:
        question["src"] = address_text(way.family, way.by)
    if way.vrf:
        question["oif"] = way.vrf
    return question
