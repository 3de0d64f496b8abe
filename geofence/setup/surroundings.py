"""What is around Asterisk: tunnels, other firewalls, and programs that setup can use."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from pathlib import Path

from geofence.backends.ipset.startup import startup_programs
from geofence.errors import BackendError
from geofence.host.sockets import ListeningSocket
from geofence.model.policy import Protocol
from geofence.model.prefixes import Family
from geofence.operations.mail import SENDMAIL, SMTP
from geofence.routing.outgoing import RouteQuery, outgoing_interfaces
from geofence.routing.routes import read_links
from geofence.setup.machine import Tunnel

_TUNNELS = ("wireguard", "tun")
_ELSEWHERE = ("192.88.99.1", "2001:4860:4860::8888")
"""Addresses that only a default route leads to."""

_FIREWALLS = (
    "arno-iptables-firewall",
    "csf",
    "ferm",
    "firewalld",
    "netfilter-persistent",
    "nftables",
    "shorewall",
    "ufw",
    "fail2ban",
    "docker",
)
_PUBLISHER = "docker-proxy"


def read_tunnels() -> tuple[Tunnel, ...]:
    """Return the interfaces of VPNs. One that is part of a bridge is a virtual machine's.

    Raises:
        BackendError: the kernel does not tell.
    """
    links = [each for each in read_links() if each.kind in _TUNNELS and not each.master]
    if not links:
        return ()
    ways_out = set(outgoing_interfaces(map(_query, _ELSEWHERE)).values())
    return tuple(Tunnel(each.name, each.kind, each.number in ways_out) for each in links)


def _query(text: str) -> RouteQuery:
    address = ip_address(text)
    family = Family.IPV4 if address.version == 4 else Family.IPV6  # noqa: PLR2004 - of IP
    return RouteQuery(family, int(address), 0)


def tunnels_or_none() -> tuple[Tunnel, ...]:
    """Return the interfaces of VPNs; none where the kernel does not tell."""
    try:
        return read_tunnels()
    except BackendError:
        return ()


def find_firewalls(root: Path = Path("/")) -> tuple[str, ...]:
    """Return programs with firewall rules of their own that this host starts."""
    started = {each.name.partition("/")[0] for each in startup_programs(root)}
    return tuple(name for name in _FIREWALLS if name in started)


def published(sockets: Iterable[ListeningSocket]) -> Iterator[ListeningSocket]:
    """Yield the ports that Docker publishes."""
    for each in sockets:
        if any(holder.program == _PUBLISHER for holder in each.holders):
            yield each


def has_mta(sockets: Iterable[ListeningSocket]) -> bool:
    """Whether an MTA of this host takes mail: at its port, or by its program."""
    listens = any((each.protocol, each.port) == (Protocol.TCP, SMTP) for each in sockets)
    return listens or os.access(SENDMAIL, os.X_OK)
