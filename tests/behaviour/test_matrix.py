"""Who may reach what: every kind of source against every kind of port, packet by packet."""

from __future__ import annotations

import select
import socket
from dataclasses import replace
from ipaddress import ip_address

import pytest

from geofence.lab.network import PBX
from geofence.lab.probes import Transport
from geofence.model.prefixes import Family
from geofence.model.ruleset import Action
from geofence.verdict import decide
from tests.behaviour.fence import Fence
from tests.behaviour.scene import RULESET, Role, address, by_link, packet, probe
from tests.support.probes import own, segments_to_pbx

SIP_PORTS = [(Transport.UDP, 5060), (Transport.TCP, 5060), (Transport.TCP, 5061)]
RTP_PORTS = [(Transport.UDP, 10_000), (Transport.UDP, 14_321), (Transport.UDP, 20_000)]
UNFENCED = [
    (Transport.UDP, 9_999),
    (Transport.UDP, 20_001),
    (Transport.UDP, 5059),
    (Transport.UDP, 5061),
    (Transport.UDP, 5062),
    (Transport.TCP, 5059),
    (Transport.TCP, 5062),
    (Transport.TCP, 10_000),
    (Transport.TCP, 20_000),
    (Transport.TCP, 22),
    (Transport.ICMP, 0),
]

HEARD = [
    (Family.IPV4, "198.51.100.255"),
    (Family.IPV4, "255.255.255.255"),
    (Family.IPV4, "224.0.0.1"),
    (Family.IPV6, "ff02::1"),
    (Family.IPV6, "fd00:17::"),
]
"""Destinations that are delivered here without being this host's: broadcast, multicast, anycast."""

MAY_REACH = {
    Role.ALLOWED: SIP_PORTS + RTP_PORTS,
    Role.FOREIGN: [],
    Role.EXCEPTION_ON: SIP_PORTS + RTP_PORTS,
    Role.EXCEPTION_FOR_SIP: SIP_PORTS,
    Role.EXCEPTION_OFF: [],
    Role.LOCAL: SIP_PORTS + RTP_PORTS,
    Role.BLOCKED: [],
    Role.BLOCKED_EXCEPTION: SIP_PORTS + RTP_PORTS,
}
"""Of the fenced ports; the others everybody may."""


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("role", Role)
def test_each_source_reaches_exactly_its_ports(fence: Fence, role: Role, family: Family) -> None:
    fence.apply(RULESET)
    targets = SIP_PORTS + RTP_PORTS + UNFENCED
    probes = {target: probe(role, family, *target) for target in targets}

    landed = dict(zip(targets, fence.lab.fire(probes.values()), strict=True))

    reached = [target for target in targets if landed[target] == "pbx"]
    assert reached == [target for target in targets if target in MAY_REACH[role] + UNFENCED]
    decided = [decide(RULESET, packet(sent, family)).action for sent in probes.values()]
    assert reached == [
        target for target, action in zip(targets, decided, strict=True) if action is Action.PASS
    ]


@pytest.mark.parametrize("family", Family)
def test_only_dropped_packets_are_counted_by_service(fence: Fence, family: Family) -> None:
    fence.apply(RULESET)
    targets = SIP_PORTS + RTP_PORTS + UNFENCED

    fence.lab.fire(probe(role, family, *target) for role in Role for target in targets)

    shut_out = {"sip": 0, "rtp": 0}
    for role in Role:
        shut_out["sip"] += sum(target not in MAY_REACH[role] for target in SIP_PORTS)
        shut_out["rtp"] += sum(target not in MAY_REACH[role] for target in RTP_PORTS)
    assert fence.dropped() == shut_out


@pytest.mark.parametrize("family", Family)
def test_a_trusted_interface_is_never_fenced(fence: Fence, family: Family) -> None:
    fence.apply(RULESET)
    targets = SIP_PORTS + RTP_PORTS
    through_vpn = [by_link(probe(Role.FOREIGN, family, *target), "tun0") for target in targets]

    assert fence.lab.fire(through_vpn) == ["pbx"] * len(targets)
    assert sum(fence.dropped().values()) == 0


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("role", Role)
def test_connections_are_made_or_not_even_begun(fence: Fence, role: Role, family: Family) -> None:
    """With real sockets at both ends: what gets in is answered, and the answer comes back."""
    fence.apply(RULESET)
    own(fence.lab, address(role, family))
    made = {port: _connects(fence, role, family, port) for port in (22, 5060, 5061)}

    sip = bool(MAY_REACH[role])
    assert made == {22: True, 5060: sip, 5061: sip}


def _connects(fence: Fence, role: Role, family: Family, port: int) -> bool:
    lab, inside = fence.lab, (str(PBX[family]), port)
    with (
        lab.pbx.socket(family.socket_family, socket.SOCK_STREAM) as listener,
        lab.internet.socket(family.socket_family, socket.SOCK_STREAM) as phone,
        segments_to_pbx(lab, family) as segments,
    ):
        listener.bind(inside)
        listener.listen()
        phone.bind((str(address(role, family)), 0))
        phone.setblocking(False)
        phone.connect_ex(inside)
        lab.settle()
        if (address(role, family), phone.getsockname()[1]) not in segments():
            return False
        answered = select.select([], [phone], [], 10)[1]
        return bool(answered) and phone.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


@pytest.mark.parametrize(("family", "destination"), HEARD)
def test_strangers_are_blocked_at_other_addresses_of_the_host(
    fence: Fence, family: Family, destination: str
) -> None:
    """The PBX would answer from its own address, and know the flow from then on."""
    fence.apply(RULESET)
    sent = [probe(role, family, *SIP_PORTS[0]) for role in (Role.FOREIGN, Role.ALLOWED)]
    others = [replace(each, destination=ip_address(destination)) for each in sent]
    unfenced = replace(others[0], port=UNFENCED[0][1])
    assert fence.lab.fire([*others, unfenced]) == [None, "pbx", "pbx"]
