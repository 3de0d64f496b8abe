"""Who is outside, in each address family, and how SIP writes addresses."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import NamedTuple

from geofence.lab.network import PBX
from geofence.model.prefixes import Family

Role = Mapping[Family, str]
"""Somebody's address in each family."""


def _role(ipv4: str, ipv6: str) -> Role:
    return {Family.IPV4: ipv4, Family.IPV6: ipv6}


STRANGER = _role("45.99.1.1", "2a00:99::1")
PHONE = _role("133.1.2.3", "2400:4000::5")
OTHER_PHONE = _role("133.1.2.4", "2400:4000::6")
"""Of the allowed country, as the other phone is."""
TRUNK = _role("45.9.20.5", "2a00:1450:20::5")
"""Abroad; one of the exception "office", which is off."""
STUN = _role("45.30.0.3", "2a00:30::3")
ROLES = (STRANGER, PHONE, OTHER_PHONE, TRUNK, STUN)


class Endpoint(NamedTuple):
    """Address and port; as text they are as SIP writes them."""

    address: str
    port: int = 5060

    def __str__(self) -> str:
        return f"{sip_host(self.address)}:{self.port}"


def family_of(address: str) -> Family:
    """Return the family of an address."""
    return Family.IPV4 if ip_address(address).version == 4 else Family.IPV6


def sip_host(address: str) -> str:
    """Return an address as SIP writes a host: IPv6 in brackets."""
    return address if family_of(address) is Family.IPV4 else f"[{address}]"


def pbx_for(address: str) -> str:
    """Return the PBX's address in the family of another address."""
    return str(PBX[family_of(address)])
