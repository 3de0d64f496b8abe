"""Who began a connection, and whether the fence admitted it: what ESTABLISHED does not say."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from geofence.flows.conntrack import cut, read_flows
from geofence.flows.impact import begun_from_fenced_ports
from geofence.lab.network import CONTAINER, PBX, Lab
from geofence.lab.packets import Tcp
from geofence.lab.payloads import Payload, plain, rtp, sip_options
from geofence.lab.probes import Probe, Transport
from geofence.merge import merge
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import RepliesFrom, Service
from geofence.model.prefixes import Family
from geofence.model.ruleset import Ruleset
from geofence.operations.live_flows import forget_unwatched
from tests.behaviour.fence import Fence
from tests.behaviour.scene import LISTS, POLICY, RULESET, Role, address, probe, space, with_list
from tests.support.probes import send_from_pbx

PROGRAMS = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}
PSH = 8
"""The flag of a segment with data (RFC 9293, 3.1)."""
Family_ = pytest.mark.parametrize("family", Family)
PHONE_PORT = 40_404
SIP_RESPONSE = b"SIP/2.0 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"


def response(_token: int) -> bytes:
    return SIP_RESPONSE


def from_there(role: Role, family: Family, port: int = 5060) -> Probe:
    """A packet of one connection of the role's."""
    return replace(probe(role, family, Transport.UDP, port), source_port=PHONE_PORT)


def to_there(role: Role, family: Family, payload: Payload = plain, port: int = 5060) -> Probe:
    """A packet of the PBX in the same connection."""
    sent = Probe(PBX[family], address(role, family), Transport.UDP, PHONE_PORT, source_port=port)
    return replace(sent, payload=payload)


@Family_
@pytest.mark.parametrize("port", [5060, 10_000])
def test_an_unsolicited_response_is_dropped_and_begins_no_connection(
    fence: Fence, family: Family, port: int
) -> None:
    """A request from an allowed address, with ``Via: …;maddr=STRANGER``, makes the PBX send it."""
    fence.apply(RULESET)

    assert not send_from_pbx(fence.lab, to_there(Role.FOREIGN, family, response, port))
    assert fence.lab.fire([from_there(Role.FOREIGN, family, port)] * 2) == [None, None]


def within_dialog(_token: int) -> bytes:
    return b"NOTIFY sip:phone@phone.example SIP/2.0\r\n\r\n"


@Family_
def test_a_request_within_a_dialog_leaves_and_begins_no_connection(
    fence: Fence, family: Family
) -> None:
    """A subscription from an allowed address may name a stranger as its contact."""
    fence.apply(RULESET)

    assert send_from_pbx(fence.lab, to_there(Role.FOREIGN, family, within_dialog))
    assert fence.lab.fire([from_there(Role.FOREIGN, family)]) == [None]
    assert send_from_pbx(fence.lab, to_there(Role.FOREIGN, family, sip_options))
    assert fence.lab.fire([from_there(Role.FOREIGN, family)]) == ["pbx"]


@Family_
def test_even_an_empty_datagram_begins_a_connection(fence: Fence, family: Family) -> None:
    fence.apply(RULESET)

    assert send_from_pbx(fence.lab, to_there(Role.FOREIGN, family, lambda _: b""))
    assert fence.lab.fire([from_there(Role.FOREIGN, family)]) == ["pbx"]


@Family_
def test_connections_of_the_pbx_survive_a_repair(fence: Fence, family: Family) -> None:
    fence.apply(RULESET)
    assert send_from_pbx(fence.lab, to_there(Role.FOREIGN, family, sip_options))
    trunk = from_there(Role.FOREIGN, family)
    assert fence.lab.fire([trunk]) == ["pbx"]
    fence.remove()

    before = fence.apply(RULESET).plan.observed
    with fence.lab.pbx.entered():
        assert forget_unwatched(RULESET, before) == ()

    assert fence.lab.fire([trunk]) == ["pbx"]


@Family_
def test_source_nat_to_a_fenced_port_keeps_replies(fence: Fence, family: Family) -> None:
    nat = "-t nat -A POSTROUTING -o wan -p udp -j MASQUERADE --to-ports 10000-10001"
    fence.run(f"{PROGRAMS[family]} {nat}")
    fence.apply(RULESET)
    send_from_container(fence.lab, family, b"query", 40_000)

    back = [from_there(Role.FOREIGN, family, port) for port in (10_000, 10_001)]
    assert sorted(map(str, fence.lab.fire(back))) == ["None", "container"]


@Family_
def test_a_response_to_a_phone_leaves_for_any_via(fence: Fence, family: Family) -> None:
    fence.apply(RULESET)

    for role in (Role.ALLOWED, Role.EXCEPTION_ON):
        assert send_from_pbx(fence.lab, to_there(role, family, response))


@Family_
@pytest.mark.parametrize("payload", [sip_options, rtp, plain])
def test_replies_to_other_packets_of_the_pbx_pass(
    fence: Fence, family: Family, payload: Payload
) -> None:
    fence.apply(RULESET)

    assert send_from_pbx(fence.lab, to_there(Role.FOREIGN, family, payload))
    assert fence.lab.fire([from_there(Role.FOREIGN, family)]) == ["pbx"]
    assert send_from_pbx(fence.lab, to_there(Role.FOREIGN, family, response)), "answers a request"


@Family_
@pytest.mark.parametrize(
    ("flags", "leaves"), [(Tcp.SYN, True), (Tcp.ACK, False), (Tcp(PSH | Tcp.ACK), False)]
)
def test_tcp_begins_with_a_syn(fence: Fence, family: Family, flags: Tcp, *, leaves: bool) -> None:
    """Otherwise conntrack takes a connection from before the fence for one of this host's."""
    fence.apply(RULESET)
    stranger = replace(to_there(Role.FOREIGN, family), transport=Transport.TCP, flags=flags)

    assert send_from_pbx(fence.lab, stranger) is leaves
    back = replace(from_there(Role.FOREIGN, family), transport=Transport.TCP)
    answers = [replace(back, flags=Tcp.SYN | Tcp.ACK if leaves else Tcp.ACK)]
    assert fence.lab.fire(answers) == (["pbx"] if leaves else [None])
    phone = replace(to_there(Role.ALLOWED, family), transport=Transport.TCP, flags=flags)
    assert send_from_pbx(fence.lab, phone)


@Family_
def test_calls_in_progress_outlive_a_list_and_nothing_new_begins(
    fence: Fence, family: Family
) -> None:
    fence.apply(RULESET)
    call = from_there(Role.ALLOWED, family, 10_000)
    assert fence.lab.fire([call]) == ["pbx"]

    fence.apply(with_list(space("203.0.113.0/24", "2001:db8:5::/48")))

    assert fence.lab.fire([call, replace(call, source_port=PHONE_PORT + 1)]) == ["pbx", None]
    assert send_from_pbx(fence.lab, to_there(Role.ALLOWED, family, rtp, 10_000))
    assert fence.lab.fire([call]) == ["pbx"]


@Family_
def test_connections_from_before_the_fence_pass_by_sets_only(fence: Fence, family: Family) -> None:
    """So it is for whoever came in before the first apply, while it was removed or emptied."""
    fence.run(f"{PROGRAMS[family]} -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT")
    talking = [from_there(role, family) for role in (Role.FOREIGN, Role.ALLOWED)]
    for _ in range(2):
        assert fence.lab.fire(talking) == ["pbx", "pbx"]
        for role in (Role.FOREIGN, Role.ALLOWED):
            assert send_from_pbx(fence.lab, to_there(role, family))

        fence.apply(RULESET)

        assert fence.lab.fire(talking) == [None, "pbx"]
        assert send_from_pbx(fence.lab, to_there(Role.FOREIGN, family, response))
        assert fence.lab.fire(talking) == [None, "pbx"]
        fence.remove()


@Family_
def test_connections_begun_without_the_fence_are_forgotten(fence: Fence, family: Family) -> None:
    fence.run(f"{PROGRAMS[family]} -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT")
    stranger, trunk = from_there(Role.FOREIGN, family), from_there(Role.FOREIGN, family, 10_000)
    assert send_from_pbx(fence.lab, to_there(Role.FOREIGN, family, response))
    assert send_from_pbx(fence.lab, to_there(Role.FOREIGN, family, rtp, 10_000))

    before = fence.apply(RULESET).plan.observed
    with fence.lab.pbx.entered():
        said = forget_unwatched(RULESET, before)

    assert said == (Note(NoteKind.CONNECTIONS_FORGOTTEN, "", {"number": 2}),)
    assert fence.lab.fire([stranger, trunk]) == [None, None]
    assert not send_from_pbx(fence.lab, to_there(Role.FOREIGN, family, response))
    assert send_from_pbx(fence.lab, to_there(Role.FOREIGN, family, rtp, 10_000))
    assert fence.lab.fire([stranger, trunk]) == [None, "pbx"]
    again = fence.apply(with_list(space("203.0.113.0/24"))).plan.observed
    with fence.lab.pbx.entered():
        assert forget_unwatched(RULESET, again) == ()
    assert fence.lab.fire([trunk]) == ["pbx"]


@Family_
def test_cut_drops_connections_that_the_pbx_began(fence: Fence, family: Family) -> None:
    fence.apply(RULESET)
    peer = from_there(Role.FOREIGN, family)
    assert send_from_pbx(fence.lab, to_there(Role.FOREIGN, family, sip_options))
    assert fence.lab.fire([peer]) == ["pbx"]

    with fence.lab.pbx.entered():
        assert cut(begun_from_fenced_ports(RULESET, read_flows())) == 1

    for _ in range(2):
        assert fence.lab.fire([peer]) == [None]
        assert send_from_pbx(fence.lab, to_there(Role.FOREIGN, family, sip_options))


@Family_
def test_replies_may_be_left_to_exceptions(fence: Fence, family: Family) -> None:
    services = tuple(replace(s, replies_from=RepliesFrom.EXCEPTIONS) for s in POLICY.services)
    fence.apply(with_list_of(services))
    for role in (Role.FOREIGN, Role.EXCEPTION_ON):
        assert send_from_pbx(fence.lab, to_there(role, family))

    both = [from_there(role, family) for role in (Role.FOREIGN, Role.EXCEPTION_ON)]
    assert fence.lab.fire(both) == [None, "pbx"]


def with_list_of(services: tuple[Service, ...]) -> Ruleset:
    return merge(replace(POLICY, services=services), LISTS)


@Family_
@pytest.mark.parametrize(("payload", "answered"), [(response, False), (sip_options, True)])
def test_a_container_behind_source_nat_begins_nothing_by_a_response(
    fence: Fence, family: Family, payload: Payload, *, answered: bool
) -> None:
    fence.run(f"{PROGRAMS[family]} -t nat -A POSTROUTING -o wan -j MASQUERADE")
    fence.apply(RULESET)
    send_from_container(fence.lab, family, payload(0))

    back = from_there(Role.FOREIGN, family)
    assert fence.lab.fire([back]) == (["container"] if answered else [None])


def send_from_container(lab: Lab, family: Family, datagram: bytes, port: int = 5060) -> None:
    with lab.container.socket(family.socket_family, socket.SOCK_DGRAM) as mouth:
        mouth.bind((str(CONTAINER[family]), port))
        mouth.sendto(datagram, (str(address(Role.FOREIGN, family)), PHONE_PORT))
    lab.settle()
