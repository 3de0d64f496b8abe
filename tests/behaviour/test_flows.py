"""What the PBX itself started, and what it publishes on behalf of a container."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from geofence.lab.network import CONTAINER, PBX
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from geofence.operations.live_flows import forget_unwatched
from tests.behaviour.fence import Fence
from tests.behaviour.scene import RULESET, Role, address, probe
from tests.support.probes import unreachable

STUN_PORT = 3478
RTP_PORT = 10_000

PROGRAMS = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}


@contextmanager
def question_to_stun_server(fence: Fence, family: Family) -> Iterator[None]:
    """The PBX sends a packet from an RTP port to a foreign server."""
    with fence.lab.pbx.socket(family.socket_family, socket.SOCK_DGRAM) as rtp:
        rtp.bind((str(PBX[family]), RTP_PORT))
        rtp.sendto(b"binding request", (str(address(Role.FOREIGN, family)), STUN_PORT))
        yield


def answer(family: Family) -> Probe:
    """From the server's port to the port that asked."""
    return replace(probe(Role.FOREIGN, family, Transport.UDP, RTP_PORT), source_port=STUN_PORT)


@pytest.mark.parametrize("family", Family)
def test_the_answer_of_a_foreign_server_comes_in(fence: Fence, family: Family) -> None:
    fence.apply(RULESET)

    assert fence.lab.fire([answer(family)]) == [None]
    with question_to_stun_server(fence, family):
        assert fence.lab.fire([answer(family)] * 3) == ["pbx"] * 3


@pytest.mark.parametrize("family", Family)
def test_an_unsolicited_packet_of_the_same_server_is_dropped(fence: Fence, family: Family) -> None:
    fence.apply(RULESET)

    with question_to_stun_server(fence, family):
        unasked = [
            replace(answer(family), port=RTP_PORT + 2),
            replace(answer(family), source_port=STUN_PORT + 1),
            replace(answer(family), port=5060),
        ]
        assert fence.lab.fire(unasked) == [None] * 3


@pytest.mark.parametrize("family", Family)
def test_an_icmp_error_about_a_flow_comes_in(fence: Fence, family: Family) -> None:
    fence.apply(RULESET)
    error = replace(answer(family), build=unreachable)

    with question_to_stun_server(fence, family):
        assert fence.lab.fire([error]) == ["pbx"]


@pytest.mark.parametrize("family", Family)
def test_connections_of_the_pbx_from_before_the_fence_begin_anew(
    fence: Fence, family: Family
) -> None:
    """Conntrack has to know the flow, so some rule of the host's must have asked for it before."""
    state = "-m conntrack --ctstate ESTABLISHED -j ACCEPT"
    fence.run(f"{PROGRAMS[family]} -A INPUT {state}")

    with question_to_stun_server(fence, family):
        assert fence.lab.fire([answer(family)]) == ["pbx"]
        before = fence.apply(RULESET).plan.observed
        with fence.lab.pbx.entered():
            forget_unwatched(RULESET, before)
        assert fence.lab.fire([answer(family)]) == [None]
    with question_to_stun_server(fence, family):
        assert fence.lab.fire([answer(family)]) == ["pbx"]


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_a_port_published_by_destination_nat_is_fenced(
    fence: Fence, family: Family, transport: Transport
) -> None:
    _publish(fence, family, transport, 5060)
    foreign, allowed = (
        probe(role, family, transport, 5060) for role in (Role.FOREIGN, Role.ALLOWED)
    )
    assert fence.lab.fire([foreign, allowed]) == ["container"] * 2

    fence.apply(RULESET)

    assert fence.lab.fire([foreign, allowed]) == [None, "container"]
    fence.remove()
    assert fence.lab.fire([foreign, allowed]) == ["container"] * 2


@pytest.mark.parametrize("family", Family)
def test_another_port_that_leads_to_a_fenced_one_is_fenced_like_it(
    fence: Fence, family: Family
) -> None:
    """Both count: the port that the Internet names and the one that destination NAT makes of it."""
    _publish(fence, family, Transport.UDP, 443)
    fence.apply(RULESET)

    foreign, allowed = (
        probe(role, family, Transport.UDP, 443) for role in (Role.FOREIGN, Role.ALLOWED)
    )
    assert fence.lab.fire([foreign, allowed]) == [None, "container"]


@pytest.mark.parametrize("family", Family)
def test_routed_traffic_is_left_alone(fence: Fence, family: Family) -> None:
    fence.apply(RULESET)
    passing = replace(
        probe(Role.FOREIGN, family, Transport.UDP, 5060), destination=CONTAINER[family]
    )

    assert fence.lab.fire([passing]) == ["container"]
    assert sum(fence.dropped().values()) == 0


def _publish(fence: Fence, family: Family, transport: Transport, port: int) -> None:
    """As Docker does: ``docker run --publish PORT:5060``."""
    inside = {Family.IPV4: "{}:5060", Family.IPV6: "[{}]:5060"}[family].format(CONTAINER[family])
    fence.run(
        f"{PROGRAMS[family]} -t nat -A PREROUTING -m addrtype --dst-type LOCAL "
        f"-p {transport} --dport {port} -j DNAT --to-destination {inside}"
    )
