"""Cables, addresses and routes of lab hosts, over rtnetlink.

Hardware addresses are given and neighbours entered by hand: no probe waits for, or is lost to,
neighbour discovery, and no duplicate address detection delays the first packet.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from geofence.errors import LabError
from geofence.lab.host import Host
from geofence.lab.packets import Address
from geofence.translation import tr

Interface = IPv4Interface | IPv6Interface

_NODAD = 0x02
"""``IFA_F_NODAD``: use the IPv6 address at once (``linux/if_addr.h``)."""
_PERMANENT = 0x80
"""``NUD_PERMANENT``: a neighbour that is never asked for (``linux/neighbour.h``)."""

_TIMEOUT = 10.0
"""Seconds until a cable counts as broken; it takes milliseconds."""
_POLL_INTERVAL = 0.001
"""Seconds between two questions for a carrier."""


@dataclass(frozen=True, slots=True)
class Plug:
    """One end of a cable."""

    host: Host
    name: str
    """Of the interface."""
    mac: str
    addresses: tuple[Interface, ...]

    @property
    def gateways(self) -> tuple[Address, ...]:
        """The addresses without their networks."""
        return tuple(interface.ip for interface in self.addresses)


def plug(host: Host, name: str, mac: str, *addresses: str) -> Plug:
    """Return one end of a cable, from text: ``198.51.100.10/24``."""
    return Plug(host, name, mac, tuple(ip_interface(address) for address in addresses))


def connect(left: Plug, right: Plug) -> None:
    """Lay a cable (veth) between two hosts and make both ends know each other.

    Raises:
        LabError: the kernel refused.
    """
    try:
        with left.host.entered(), IPRoute() as netlink:
            far = {"ifname": right.name, "address": right.mac, "net_ns_fd": right.host.fd}
            netlink.link("add", ifname=left.name, kind="veth", address=left.mac, peer=far)
        for near, other in ((left, right), (right, left)):
            _configure(near, other)
        for end in (left, right):
            _await_carrier(end)
    except NetlinkError as error:
        raise LabError(
            tr(
                "The lab's network cannot be built: no cable to {host}: {reason}.",
                host=right.host.name,
                reason=error,
            )
        ) from error


def _configure(near: Plug, far: Plug) -> None:
    with near.host.entered(), IPRoute() as netlink:
        index = netlink.link_lookup(ifname=near.name)[0]
        for interface in near.addresses:
            add_address(netlink, index, interface)
        netlink.link("set", index=index, state="up")
        for address in far.gateways:
            family = _family(address)
            netlink.neigh(
                "add",
                dst=str(address),
                lladdr=far.mac,
                ifindex=index,
                state=_PERMANENT,
                family=family,
            )


def _await_carrier(end: Plug) -> None:
    """Wait until the kernel notices the carrier: it drops what is sent before that."""
    deadline = time.monotonic() + _TIMEOUT
    with end.host.entered(), IPRoute() as netlink:
        while netlink.link("get", ifname=end.name)[0].get_attr("IFLA_OPERSTATE") != "UP":
            if time.monotonic() > deadline:
                raise LabError(
                    tr(
                        "The cable {name} of {host} got no carrier.",
                        name=end.name,
                        host=end.host.name,
                    )
                )
            time.sleep(_POLL_INTERVAL)


def route_default(host: Host, gateways: tuple[Address, ...]) -> None:
    """Send what is not for a neighbour to the gateways, one a family."""
    with host.entered(), IPRoute() as netlink:
        for gateway in gateways:
            netlink.route("add", dst="default", gateway=str(gateway), family=_family(gateway))


def loopback_up(host: Host) -> None:
    """Bring up a host's loopback interface."""
    with host.entered(), IPRoute() as netlink:
        netlink.link("set", index=1, state="up")


def add_address(netlink: IPRoute, index: int, interface: Interface) -> None:
    """Give an interface, by its index, an address that works at once."""
    netlink.addr(
        "add",
        index=index,
        address=str(interface.ip),
        prefixlen=interface.network.prefixlen,
        family=_family(interface.ip),
        flags=_NODAD if interface.version == 6 else 0,  # noqa: PLR2004 - an IP version
    )


def _family(address: Address) -> int:
    return 2 if address.version == 4 else 10  # noqa: PLR2004 - AF_INET, AF_INET6
