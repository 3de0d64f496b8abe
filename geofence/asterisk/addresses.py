"""Addresses, ports and networks, as different parts of Asterisk read them."""

from __future__ import annotations

import re
import socket
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import NamedTuple

from geofence.geoip.scopes import LINK_LOCAL, LOOPBACKS, PRIVATE_NETWORKS

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MOST_PORT = 65535
_OLD_FORM = re.compile(r"[0-9a-fA-FxX.]+")
"""Addresses as the C library reads them: ``10.1`` is 10.0.0.1."""
_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_-]{1,63})*\.?")
_DIGITS = re.compile(r"\d{1,5}", re.ASCII)
_PLACEHOLDER = re.compile(r"\$\{|\$\(|\{\{|\$[A-Z_]{2,}|%[A-Z_]{2,}%|@[A-Z_]{2,}@")
_EVERYWHERE = 0
_NOT_ROUTED = tuple(ip_network(str(each)) for each in (*PRIVATE_NETWORKS, *LINK_LOCAL))
_LOOPBACKS = tuple(ip_network(str(each)) for each in LOOPBACKS)


class HostPort(NamedTuple):
    """A host, which is an address or a name, and its port; 0 where none is written."""

    host: str
    port: int

    @property
    def address(self) -> Address | None:
        """The address, if it is one."""
        return literal(self.host)


def has_placeholder(text: str) -> bool:
    """Whether another program is to fill something in: ``${TRUNK_HOST}``."""
    return _PLACEHOLDER.search(text) is not None


def literal(text: str) -> Address | None:
    """Return the address that a text is; an IPv4 one that is written as IPv6 becomes IPv4."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        return found.ipv4_mapped or IPv6Address(int(found))  # without the zone of fe80::1%eth0
    return found


def old_form(text: str) -> IPv4Address | None:
    """Return the IPv4 address that the C library sees in a text: 0.0.19.199 in ``5063``."""
    if not _OLD_FORM.fullmatch(text):
        return None
    try:
        return IPv4Address(socket.inet_aton(text))
    except OSError:
        return None


def is_name(text: str) -> bool:
    """Whether a text can be a host name."""
    return _NAME.fullmatch(text) is not None


def split_port(text: str) -> HostPort | None:
    """Split ``host:port``, ``[v6]:port`` or a bare address; None where it is none of them."""
    if text.startswith("["):
        host, closing, rest = text[1:].partition("]")
        if not closing or not isinstance(_v6(host), IPv6Address):
            return None
    elif text.count(":") > 1:
        host, rest = text, ""
    else:
        host, colon, port = text.partition(":")
        rest = colon + port
    if not rest:
        return HostPort(host, 0)
    if not rest.startswith(":"):
        return None
    number = port_number(rest[1:])
    return None if number is None else HostPort(host, number)


def _v6(text: str) -> IPv6Address | None:
    try:
        return IPv6Address(text)
    except ValueError:
        return None


def port_number(text: str) -> int | None:
    """Return the port that a text is, or None."""
    if not _DIGITS.fullmatch(text) or int(text) > MOST_PORT:
        return None
    return int(text)


def network(address: Address, mask: str | None) -> Network | None:
    """Return the network of an address and a mask, which may be dotted; host bits are cut off."""
    length = address.max_prefixlen if mask is None else _length(mask, address)
    if length is None:
        return None
    return ip_network((address, length), strict=False)


def _length(mask: str, address: Address) -> int | None:
    if "." in mask or ":" in mask:
        parsed = literal(mask)
        if parsed is None or parsed.version != address.version:
            return None
        bits = f"{int(parsed):0{address.max_prefixlen}b}"
        ones = bits.rstrip("0")
        return len(ones) if "0" not in ones else None
    found = re.match(r"\s*\+?(\d{1,9})", mask, re.ASCII)
    if found is None or int(found[1]) > address.max_prefixlen:
        return None
    return int(found[1])


def without(networks: list[Network], hole: Network) -> list[Network]:
    """Return networks less one: what is left of each that contains it, and none within it."""
    left: list[Network] = []
    for each in networks:
        left += _without(each, hole)
    return left


def _without(each: Network, hole: Network) -> list[Network]:
    if isinstance(each, IPv4Network) and isinstance(hole, IPv4Network):
        if hole.supernet_of(each):
            return []
        return sorted(each.address_exclude(hole)) if each.supernet_of(hole) else [each]
    if isinstance(each, IPv6Network) and isinstance(hole, IPv6Network):
        if hole.supernet_of(each):
            return []
        return sorted(each.address_exclude(hole)) if each.supernet_of(hole) else [each]
    return [each]


def contains(outer: Network, inner: Network) -> bool:
    """Whether one network holds all of another."""
    if isinstance(outer, IPv4Network):
        return isinstance(inner, IPv4Network) and outer.supernet_of(inner)
    return isinstance(inner, IPv6Network) and outer.supernet_of(inner)


def is_private(each: Network) -> bool:
    """Whether a network is in space that is not routed on the Internet."""
    return any(contains(outer, each) for outer in _NOT_ROUTED)


def is_loopback(each: Network) -> bool:
    """Whether a network is within this host."""
    return any(contains(outer, each) for outer in _LOOPBACKS)


def is_everybody(each: Network) -> bool:
    """Whether a network is all of a family, or begins at its first address, which nobody has."""
    return int(each.network_address) == _EVERYWHERE
