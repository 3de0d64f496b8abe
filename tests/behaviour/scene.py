"""The policy that the tests of behaviour fence with, and one address of each kind it knows."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from ipaddress import ip_address, ip_network

from geofence.lab.network import PBX
from geofence.lab.packets import Address
from geofence.lab.probes import Probe, Transport
from geofence.merge import merge
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Blocklist, NamedException, Policy, Ports, Protocol, Service
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.model.ruleset import LocalNetwork, Ruleset
from geofence.verdict import Packet

JP = ListId(ListKind.COUNTRY, "JP")


class Role(StrEnum):
    """Who somebody is to the policy."""

    ALLOWED = "allowed country"
    FOREIGN = "foreign"
    EXCEPTION_ON = "exception on"
    EXCEPTION_FOR_SIP = "exception on, for sip alone"
    EXCEPTION_OFF = "exception off"
    LOCAL = "local network"
    BLOCKED = "blocked"
    BLOCKED_EXCEPTION = "blocked, but an exception"


ADDRESSES = {
    Role.ALLOWED: ("133.1.2.3", "2400:4000::5"),
    Role.FOREIGN: ("45.9.1.1", "2a00:1450::7"),
    Role.EXCEPTION_ON: ("35.185.177.49", "2600:1900::49"),
    Role.EXCEPTION_FOR_SIP: ("35.240.151.194", "2600:1900::194"),
    Role.EXCEPTION_OFF: ("35.189.7.217", "2600:1900::217"),
    Role.LOCAL: ("192.168.7.7", "fd00:99::7"),
    Role.BLOCKED: ("133.66.6.6", "2400:4066::6"),
    Role.BLOCKED_EXCEPTION: ("133.66.6.7", "2400:4066::7"),
}
"""One of each family."""


def space(*prefixes: str) -> AddressSpace:
    """Addresses from text."""
    networks = [ip_network(prefix) for prefix in prefixes]
    families = {4: Family.IPV4, 6: Family.IPV6}
    return AddressSpace.of(
        Prefix(families[net.version], int(net.network_address), net.prefixlen) for net in networks
    )


def address(role: Role, family: Family) -> Address:
    """The role's address of a family."""
    return ip_address(ADDRESSES[role][family is Family.IPV6])


def exception(role: Role, *services: str, enabled: bool = True) -> NamedException:
    """An exception for the role's two addresses."""
    addresses = space(*ADDRESSES[role])
    return NamedException(role.name, prefixes=addresses, services=services, enabled=enabled)


SIP = Service("sip", (Ports(Protocol.UDP, 5060, 5060), Ports(Protocol.TCP, 5060, 5061)))
RTP = Service("rtp", (Ports(Protocol.UDP, 10_000, 20_000),))

POLICY = Policy(
    services=(SIP, RTP),
    countries=("JP",),
    interfaces=("lo", "tun*"),
    exceptions=(
        exception(Role.EXCEPTION_ON),
        exception(Role.EXCEPTION_FOR_SIP, "sip"),
        exception(Role.EXCEPTION_OFF, enabled=False),
        exception(Role.BLOCKED_EXCEPTION),
    ),
    blocklists=(Blocklist("attackers", prefixes=space("133.66.0.0/16", "2400:4066::/32")),),
)
LISTS = {JP: space("133.0.0.0/8", "2400:4000::/22")}
LAN = tuple(
    LocalNetwork("wan", prefix)
    for family in Family
    for prefix in space("192.168.0.0/16", "fd00::/8")[family].prefixes()
)
"""Local networks, which come by the same cable as the Internet."""
RULESET = replace(merge(POLICY, LISTS), local=LAN)


def with_list(country: AddressSpace) -> Ruleset:
    """The same policy with another list of the allowed country."""
    return replace(merge(POLICY, {JP: country}), local=LAN)


def probe(role: Role, family: Family, transport: Transport, port: int = 0) -> Probe:
    """A packet from the role's address to the PBX."""
    return Probe(address(role, family), PBX[family], transport, port)


def packet(sent: Probe, family: Family) -> Packet:
    """The same packet in the words of the oracle."""
    has_port = sent.transport in (Transport.UDP, Transport.TCP)
    return Packet(
        family,
        sent.transport,
        int(sent.source),
        sent.port if has_port else None,
        interface=sent.link,
    )


def by_link(sent: Probe, link: str) -> Probe:
    """The same packet through another interface."""
    return replace(sent, link=link)
