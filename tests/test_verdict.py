"""The oracle against packet-by-packet reading of the rules, in the order they were promised."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from geofence.merge import merge
from geofence.model.policy import Blocklist, NamedException, RepliesFrom
from geofence.model.prefixes import Family
from geofence.model.ruleset import Action, LocalNetwork
from geofence.verdict import Packet, Sent, decide, decide_sent
from tests.support.values import JAPAN, RTP, SIP, policy, prefix, space

PUSH = NamedException("push", prefixes=space("203.0.113.9/32"), services=("sip",))
RULES = policy(
    exceptions=(PUSH,),
    blocklists=(Blocklist("bad", prefixes=space("192.0.2.128/25")),),
    interfaces=("lo", "wg*"),
)
LOCAL = (LocalNetwork("eth0", prefix("10.0.0.0/8")),)
RULESET = replace(merge(replace(RULES, local=space()), JAPAN), local=LOCAL)

SOURCES = {
    "allowed": space("192.0.2.1/32").ipv4.bounds[0],
    "blocked": space("192.0.2.200/32").ipv4.bounds[0],
    "push": space("203.0.113.9/32").ipv4.bounds[0],
    "local": space("10.1.2.3/32").ipv4.bounds[0],
    "foreign": space("203.0.113.77/32").ipv4.bounds[0],
}


def service_of(protocol: str, port: int | None) -> str:
    if (protocol, port) in (("udp", 5060), ("tcp", 5060), ("tcp", 5061)):
        return "sip"
    rtp = protocol == "udp" and port is not None and 10000 <= port <= 20000
    return "rtp" if rtp else ""


def promised(packet: Packet, who: str) -> Action:
    """The packet's way through the fence, written down a second time."""
    fenced = {service_of(packet.protocol, port) for port in (packet.port, packet.delivered_port)}
    trusted = packet.interface == "lo" or packet.interface.startswith("wg")
    if fenced == {""} or trusted or not packet.to_this_host:
        return Action.PASS
    admitted = packet.admitted and not packet.answers
    if packet.reply or admitted or who == "allowed":
        return Action.PASS
    if who == "local" and packet.interface == "eth0":
        return Action.PASS
    return Action.PASS if who == "push" and fenced <= {"", "sip"} else Action.DROP


PORTS = st.none() | st.sampled_from([22, 5059, 5060, 5061, 5062, 9999, 10000, 20000, 20001])


@given(
    who=st.sampled_from(sorted(SOURCES)),
    packet=st.builds(
        Packet,
        st.just(Family.IPV4),
        st.sampled_from(["udp", "tcp", "icmp", "esp"]),
        st.just(0),
        PORTS,
        st.booleans(),
        st.sampled_from(["eth0", "eth1", "lo", "lo1", "wg0", "wg", "w"]),
        PORTS,
        st.booleans(),
        st.booleans(),
        answers=st.booleans(),
    ),
)
def test_every_packet_is_decided_as_promised(who: str, packet: Packet) -> None:
    packet = replace(packet, source=SOURCES[who])
    assert decide(RULESET, packet).action is promised(packet, who)


@given(
    who=st.sampled_from(sorted(SOURCES)),
    sent=st.builds(
        Sent,
        st.just(Family.IPV4),
        st.sampled_from(["udp", "tcp", "icmp"]),
        st.just(0),
        PORTS,
        st.sampled_from(["eth0", "eth1", "lo", "wg0"]),
        *(st.booleans() for _ in range(5)),
    ),
)
def test_packets_that_begin_no_connection_do_not_leave_for_strangers(who: str, sent: Sent) -> None:
    sent = replace(sent, destination=SOURCES[who])
    service = service_of(sent.protocol, sent.port)
    back = Packet(Family.IPV4, sent.protocol, sent.destination, sent.port, interface=sent.interface)
    trusted = sent.interface in ("lo", "wg0")
    passes = sent.answers or sent.begun or sent.known or sent.begins
    stopped = service and sent.stray and not passes and promised(back, who) is Action.DROP
    decision = decide_sent(RULESET, sent)
    assert decision.action is (Action.DROP if stopped else Action.PASS)
    marked = sent.begins and not (sent.answers or sent.begun or trusted)
    assert decision.begins is (marked if service else not sent.known)


def test_an_announced_flow_passes_only_where_the_rules_name_the_helper() -> None:
    stranger = Packet(Family.IPV4, "udp", SOURCES["foreign"], 10000, helper="sip")
    assert decide(RULESET, stranger).action is Action.DROP
    helped = replace(RULES, services=(replace(RTP, helpers=("sip",)),))
    assert decide(merge(helped, JAPAN), stranger).action is Action.PASS
    assert decide(merge(helped, JAPAN), replace(stranger, helper="h323")).action is Action.DROP


def test_replies_may_be_left_to_exceptions() -> None:
    strict = replace(RULES, services=(replace(SIP, replies_from=RepliesFrom.EXCEPTIONS),))
    answer = Packet(Family.IPV4, "udp", SOURCES["foreign"], 5060, reply=True)
    assert decide(RULESET, answer).action is Action.PASS
    assert decide(merge(strict, JAPAN), answer).action is Action.DROP
    assert decide(merge(strict, JAPAN), replace(answer, source=SOURCES["push"])).action is (
        Action.PASS
    )


def test_a_family_without_prefixes_is_blocked() -> None:
    ruleset = merge(policy(), {wanted: space("192.0.2.0/24") for wanted in JAPAN})
    packet = Packet(Family.IPV6, "udp", space("2001:db8:1::1/128").ipv6.bounds[0], 5060)
    assert decide(ruleset, packet).action is Action.DROP
