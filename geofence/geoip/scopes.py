"""Prefixes of addresses that no distant host has, by where they are known."""

from __future__ import annotations

import socket

from geofence.model.prefixes import AddressSpace, Family, Prefix


def _prefixes(*texts: str) -> tuple[Prefix, ...]:
    return tuple(map(_prefix, texts))


def _prefix(text: str) -> Prefix:
    address, _, length = text.partition("/")
    family = Family.IPV6 if ":" in address else Family.IPV4
    network = int.from_bytes(socket.inet_pton(family.socket_family, address))
    return Prefix(family, network, int(length))


LOOPBACKS = _prefixes("127.0.0.0/8", "::1/128")
LINK_LOCAL = _prefixes("169.254.0.0/16", "fe80::/10")
"""RFC 3927 and RFC 4291: every interface has them, so where they are connected says nothing."""
PRIVATE_NETWORKS = _prefixes(
    "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"
)
"""RFC 1918, RFC 6598 and RFC 4193."""

LOOPBACK = AddressSpace.of(LOOPBACKS)
PRIVATE = AddressSpace.of(PRIVATE_NETWORKS)
NOT_ROUTED = PRIVATE | AddressSpace.of(LINK_LOCAL)
"""What is not routed on the Internet, besides the loopback."""
UNSPECIFIED = AddressSpace.of(_prefixes("0.0.0.0/8", "::/128"))
"""What nobody has: RFC 1122 (3.2.1.3) and RFC 4291 (2.5.2)."""
NO_SOURCE = AddressSpace.of(_prefixes("224.0.0.0/3", "ff00::/8"))
"""Multicast, or reserved: RFC 5771, RFC 1112 (section 4), RFC 4291 (2.7)."""
NOT_DISTANT = UNSPECIFIED | NO_SOURCE | AddressSpace.of(LINK_LOCAL)
"""Unspecified, link-local, multicast and reserved."""
