"""Made-up rulesets and flows."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from geofence.flows.flow import Flow, FlowState
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.model.ruleset import FencedService, Role, Ruleset, SetKey

SIP = FencedService("sip", (Ports(Protocol.UDP, 5060, 5060), Ports(Protocol.TCP, 5060, 5061)), "")
RTP = FencedService("rtp", (Ports(Protocol.UDP, 10000, 20000),), "")
SSH = FencedService("ssh", (Ports(Protocol.TCP, 22, 22),), "")


def family_of(text: str) -> Family:
    return Family.IPV6 if ":" in text else Family.IPV4


def space(*prefixes: str) -> AddressSpace:
    networks = [ip_network(text) for text in prefixes]
    return AddressSpace.of(
        Prefix(family_of(str(one)), int(one.network_address), one.prefixlen) for one in networks
    )


def ruleset(
    allowed: tuple[str, ...] = (),
    excepted: tuple[str, ...] = (),
    services: tuple[FencedService, ...] = (SIP, RTP),
) -> Ruleset:
    """Fence the services for all but the allowed and the excepted prefixes."""
    sets = {SetKey(Role.ALLOW, "", family): space(*allowed)[family] for family in Family}
    for service in services:
        for family in Family:
            sets[SetKey(Role.EXCEPTION, service.name, family)] = space(*excepted)[family]
    return Ruleset(services, ("lo",), sets)


def flow(  # noqa: PLR0913 - each says one thing that a test varies
    source: str,
    port: int = 5060,
    protocol: str = "udp",
    *,
    source_port: int = 40000,
    state: FlowState = FlowState.ESTABLISHED,
    assured: bool = True,
    inbound: bool = True,
    expected: bool = False,
    closing: bool = False,
    interface: str = "",
) -> Flow:
    """A flow to this host; live unless said otherwise."""
    here = {Family.IPV4: "198.51.100.10", Family.IPV6: "2001:db8:100::10"}
    family = family_of(source)
    return Flow(
        family,
        protocol,
        int(ip_address(source)),
        source_port,
        int(ip_address(here[family])),
        port,
        inbound=inbound,
        state=state,
        expected=expected,
        assured=assured,
        closing=closing,
        interface=interface,
    )
