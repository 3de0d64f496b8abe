"""Interfaces in a routing table of their own, whose addresses the main one knows nothing of.

Not every kernel has VRF; Debian's do (``python -m tests.kernels``).
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from geofence.errors import LabError
from geofence.flows.conntrack import read_flows
from geofence.flows.interfaces import with_interfaces
from geofence.lab.probes import Transport
from geofence.merge import merge
from geofence.model.prefixes import Family
from tests.behaviour.fence import Fence
from tests.behaviour.scene import LISTS, POLICY, Role, probe

INSIDE = {Family.IPV4: ip_address("10.8.0.1"), Family.IPV6: ip_address("fd00:8::1")}
"""The addresses of the PBX's second interface."""


@pytest.fixture
def fence_with_vrf(fence: Fence) -> Fence:
    """The second interface is in a VRF."""
    try:
        fence.run("ip link add phones type vrf table 77")
    except LabError as error:
        pytest.skip(f"this kernel has no VRF: {error}")
    for command in (
        "link set phones up",
        "link set tun0 master phones",
        f"addr replace {INSIDE[Family.IPV6]}/64 dev tun0 nodad",
    ):
        fence.run(f"ip {command}")
    return fence


@pytest.mark.parametrize("family", Family)
def test_packets_to_an_address_of_a_vrf_are_fenced(fence_with_vrf: Fence, family: Family) -> None:
    fence = fence_with_vrf
    sent = [
        replace(probe(role, family, Transport.UDP, 5060), destination=INSIDE[family], link="tun0")
        for role in (Role.ALLOWED, Role.FOREIGN)
    ]
    assert fence.lab.fire(sent) == ["pbx", "pbx"]
    fence.apply(merge(replace(POLICY, interfaces=("lo",)), LISTS))
    assert fence.lab.fire(sent) == ["pbx", None]


@pytest.mark.parametrize("family", Family)
def test_packets_to_a_vrf_address_by_another_interface_are_fenced(
    fence_with_vrf: Fence, family: Family
) -> None:
    fence = fence_with_vrf
    fence.run(f"ip -{family.digit} route add {INSIDE[family]} dev phones")  # leaked into it
    sent = [
        replace(probe(role, family, Transport.UDP, 5060), destination=INSIDE[family])
        for role in (Role.ALLOWED, Role.FOREIGN)
    ]
    assert fence.lab.fire(sent) == ["pbx", "pbx"]
    fence.apply(merge(replace(POLICY, interfaces=("lo",)), LISTS))
    assert fence.lab.fire(sent) == ["pbx", None]


@pytest.mark.parametrize("family", Family)
def test_peers_of_a_vrf_address_are_found_by_its_interfaces(
    fence_with_vrf: Fence, family: Family
) -> None:
    fence = fence_with_vrf
    fence.apply(merge(replace(POLICY, interfaces=("lo",)), LISTS))
    fence.run(f"ip -{family.digit} route add default dev tun0 vrf phones")
    allowed = probe(Role.ALLOWED, family, Transport.UDP, 5060)
    inside = replace(allowed, destination=INSIDE[family], source_port=4444, link="tun0")
    assert fence.lab.fire([inside, replace(allowed, source_port=4445)]) == ["pbx", "pbx"]
    nobody = merge(replace(POLICY, interfaces=("lo", "tun*"), countries=()), {})
    with fence.lab.pbx.entered():
        flows = with_interfaces(read_flows(), nobody)
    found = {flow.source_port: flow.interface for flow in flows if flow.inbound}
    assert (found[4444], found[4445]) == ("tun0", "wan")
