"""The oracle against packet-by-packet reading of the rules, in the order they were promised."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from geofence.merge import merge
from geofence.model.policy import Blocklist, NamedException
from geofence.model.prefixes import Family
from geofence.model.ruleset import Action
from geofence.verdict import FlowState, Packet, decide
from tests.support.values import JAPAN, policy, space

PUSH = NamedException("push", prefixes=space("203.0.113.9/32"), services=("sip",))
RULES = policy(
    exceptions=(PUSH,),
    blocklists=(Blocklist("bad", prefixes=space("192.0.2.128/25")),),
    interfaces=("lo", "wg*"),
)
RULESET = merge(RULES, JAPAN)

SOURCES = {
    "allowed": space("192.0.2.1/32").ipv4.bounds[0],
    "blocked": space("192.0.2.200/32").ipv4.bounds[0],
    "push": space("203.0.113.9/32").ipv4.bounds[0],
    "local": space("10.1.2.3/32").ipv4.bounds[0],
    "foreign": space("203.0.113.77/32").ipv4.bounds[0],
}


def promised(packet: Packet, who: str) -> Action:
    """The packet's way through the fence, written down a second time."""
    sip = (packet.protocol == "udp" and packet.port == 5060) or (
        packet.protocol == "tcp" and packet.port in (5060, 5061)
    )
    rtp = packet.protocol == "udp" and packet.port is not None and 10000 <= packet.port <= 20000
    trusted = packet.interface == "lo" or packet.interface.startswith("wg")
    if not (sip or rtp) or trusted or not packet.to_this_host:
        return Action.PASS
    if who == "local" or (who == "push" and sip):
        return Action.PASS
    if packet.state in (FlowState.ESTABLISHED, FlowState.RELATED):
        return Action.PASS
    return Action.PASS if who == "allowed" else Action.DROP


@given(
    who=st.sampled_from(sorted(SOURCES)),
    protocol=st.sampled_from(["udp", "tcp", "icmp", "esp"]),
    port=st.none() | st.sampled_from([22, 5059, 5060, 5061, 5062, 9999, 10000, 20000, 20001]),
    to_this_host=st.booleans(),
    interface=st.sampled_from(["eth0", "lo", "lo1", "wg0", "wg", "w"]),
    state=st.sampled_from(list(FlowState)),
)
def test_every_packet_is_decided_as_promised(  # noqa: PLR0913 - a packet has these properties
    *,
    who: str,
    protocol: str,
    port: int | None,
    to_this_host: bool,
    interface: str,
    state: FlowState,
) -> None:
    packet = Packet(Family.IPV4, protocol, SOURCES[who], port, to_this_host, interface, state)
    assert decide(RULESET, packet).action is promised(packet, who)


def test_a_family_without_prefixes_is_fenced_shut() -> None:
    ruleset = merge(policy(), {wanted: space("192.0.2.0/24") for wanted in JAPAN})
    packet = Packet(Family.IPV6, "udp", space("2001:db8:1::1/128").ipv6.bounds[0], 5060)
    assert decide(ruleset, packet).action is Action.DROP
