"""Packets that are delivered here, or sent on by destination NAT, without being addressed here."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from geofence.lab.network import CONTAINER
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family, Prefix
from geofence.model.ruleset import LocalNetwork
from tests.behaviour.fence import Fence
from tests.behaviour.scene import RULESET, Role, by_link, probe

PROGRAMS = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}
FAILOVER = {Family.IPV4: ip_address("203.0.113.50"), Family.IPV6: ip_address("2001:db8:50::1")}
"""Routed to the host, and not configured on it."""
ROLES = (Role.FOREIGN, Role.ALLOWED)
Family_ = pytest.mark.parametrize("family", Family)


def sent_to_failover(family: Family, port: int = 5060) -> list[Probe]:
    """By a stranger, and from an allowed country."""
    return [
        replace(probe(role, family, Transport.UDP, port), destination=FAILOVER[family])
        for role in ROLES
    ]


@Family_
@pytest.mark.parametrize("named", [5060, 10_000, 443])
def test_a_foreign_address_that_leads_to_a_container_is_fenced(
    fence: Fence, family: Family, named: int
) -> None:
    inside = {Family.IPV4: "{}:5060", Family.IPV6: "[{}]:5060"}[family].format(CONTAINER[family])
    to = f"-d {FAILOVER[family]} -p udp --dport {named}"
    fence.run(f"{PROGRAMS[family]} -t nat -A PREROUTING {to} -j DNAT --to-destination {inside}")
    sent = sent_to_failover(family, named)
    assert fence.lab.fire(sent) == ["container"] * 2

    fence.apply(RULESET)

    assert fence.lab.fire(sent) == [None, "container"]


@Family_
@pytest.mark.parametrize("named", [5060, 10_000, 443])
def test_a_foreign_address_that_leads_here_is_fenced(
    fence: Fence, family: Family, named: int
) -> None:
    to = f"-d {FAILOVER[family]} -p udp --dport {named}"
    fence.run(f"{PROGRAMS[family]} -t nat -A PREROUTING {to} -j REDIRECT --to-ports 5060")
    sent = sent_to_failover(family, named)
    assert fence.lab.fire(sent) == ["pbx"] * 2

    fence.apply(RULESET)

    assert fence.lab.fire(sent) == [None, "pbx"]
    assert fence.dropped()["sip" if named != 10_000 else "rtp"] == 1


@Family_
def test_an_address_of_this_host_in_another_routing_table_is_fenced(
    fence: Fence, family: Family
) -> None:
    ip, address = f"ip -{family.digit}", FAILOVER[family]
    fence.run(f"{ip} route add local {address} dev lo table 100")
    fence.run(f"{ip} rule add to {address} lookup 100")
    fence.apply(RULESET)

    assert fence.lab.fire(sent_to_failover(family)) == [None, "pbx"]
    assert fence.lab.fire(sent_to_failover(family, 5062)) == ["pbx", "pbx"]


@Family_
def test_a_fenced_port_that_leads_to_another_stays_fenced(fence: Fence, family: Family) -> None:
    to = "-m addrtype --dst-type LOCAL -p udp --dport 5060"
    fence.run(f"{PROGRAMS[family]} -t nat -A PREROUTING {to} -j REDIRECT --to-ports 15060")
    fence.apply(RULESET)

    sent = [probe(role, family, Transport.UDP, 5060) for role in ROLES]
    assert fence.lab.fire(sent) == [None, "pbx"]


@Family_
def test_bridged_packets_of_a_machine_without_a_route_are_left_alone(
    fence: Fence, family: Family
) -> None:
    """Where br_netfilter shows them to netfilter, and the host has no route to the machine."""
    fence.run(f"ip -{family.digit} route flush default")
    fence.apply(RULESET)

    passing = replace(
        probe(Role.FOREIGN, family, Transport.UDP, 5060), destination=CONTAINER[family]
    )
    assert fence.lab.fire([passing]) == ["container"]


LOCAL = {
    Family.IPV4: LocalNetwork("tun0", Prefix(Family.IPV4, 10 << 24 | 20 << 16, 16)),
    Family.IPV6: LocalNetwork("tun0", Prefix(Family.IPV6, 0xFC20 << 112, 16)),
}
NEIGHBOUR = {Family.IPV4: ip_address("10.20.3.4"), Family.IPV6: ip_address("fc20::4")}
BESIDE = {Family.IPV4: ip_address("10.21.3.4"), Family.IPV6: ip_address("fc21::4")}


@Family_
@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_a_local_network_is_local_on_its_interface_alone(
    fence: Fence, family: Family, transport: Transport
) -> None:
    ruleset = replace(RULESET, interfaces=("lo",), local=tuple(LOCAL.values()))
    fence.apply(ruleset)
    here = replace(probe(Role.FOREIGN, family, transport, 5060), source=NEIGHBOUR[family])
    beside = replace(here, source=BESIDE[family])

    sent = [by_link(each, link) for each in (here, beside) for link in ("tun0", "wan")]
    assert fence.lab.fire(sent) == ["pbx", None, None, None]
    assert fence.dropped()["sip"] == 3
