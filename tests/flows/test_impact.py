from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from geofence.flows.flow import Flow, FlowState, from_sources
from geofence.flows.impact import (
    begun_from_fenced_ports,
    by_source,
    depending_on_interface,
    impact,
)
from geofence.model.ruleset import Action, Ruleset
from geofence.verdict import decide
from tests.flows.made import RTP, SIP, flow, ruleset, space

SOURCES = ("20.0.0.1", "20.0.0.9", "133.1.2.3", "2400:1::5", "2a00::1")
PREFIXES = ("20.0.0.0/29", "20.0.0.0/24", "133.0.0.0/8", "2400::/16", "::/0", "0.0.0.0/0")
FLOWS = st.lists(
    st.builds(
        flow,
        st.sampled_from(SOURCES),
        st.sampled_from((5060, 5061, 10000, 20000, 20001, 22)),
        st.sampled_from(("udp", "tcp")),
        state=st.sampled_from((FlowState.NEW, FlowState.ESTABLISHED)),
        assured=st.booleans(),
        inbound=st.booleans(),
        expected=st.booleans(),
        closing=st.booleans(),
        interface=st.sampled_from(("", "lo", "wan")),
    ),
    max_size=20,
)
SOME = st.lists(st.sampled_from(PREFIXES), max_size=2).map(tuple)
RULESETS = st.builds(ruleset, SOME, SOME, st.sampled_from([(SIP,), (RTP,), (SIP, RTP)]))


@given(RULESETS, RULESETS, FLOWS)
def test_the_impact_has_exactly_the_connections_decided_differently(
    before: Ruleset, after: Ruleset, flows: list[Flow]
) -> None:
    found = impact(before, after, flows)
    passed = [decide(before, each.opening).action is Action.PASS for each in flows]
    passes = [decide(after, each.opening).action is Action.PASS for each in flows]
    cases = list(zip(flows, passed, passes, strict=True))
    expected_denied = [each for each, was, now in cases if each.inbound and was and not now]
    expected_admitted = [each for each, was, now in cases if each.inbound and now and not was]
    assert [touched.flow for touched in found.denied] == expected_denied
    assert [touched.flow for touched in found.admitted] == expected_admitted


@given(RULESETS, RULESETS, FLOWS)
def test_the_way_back_touches_the_same_flows_the_other_way(
    before: Ruleset, after: Ruleset, flows: list[Flow]
) -> None:
    there, back = impact(before, after, flows), impact(after, before, flows)
    assert [t.flow for t in there.denied] == [t.flow for t in back.admitted]
    assert [t.flow for t in there.admitted] == [t.flow for t in back.denied]


@given(RULESETS, FLOWS)
def test_no_change_touches_nothing(same: Ruleset, flows: list[Flow]) -> None:
    found = impact(same, same, flows)
    assert found.denied == found.admitted == ()


def test_a_first_fence_blocks_all_but_allowed_peers() -> None:
    flows = [flow("20.0.0.1"), flow("20.0.0.1", 10000), flow("133.1.2.3"), flow("2a00::1", 5061)]
    found = impact(None, ruleset(("133.0.0.0/8",)), flows)
    assert [(touched.flow, touched.service) for touched in found.denied] == [
        (flows[0], "sip"),
        (flows[1], "rtp"),
    ]
    assert found.admitted == ()
    assert found.talking == 2


def test_connections_of_this_host_are_not_touched_by_a_change() -> None:
    assert impact(None, ruleset(), [flow("20.0.0.1", inbound=False)]).denied == ()


def test_announced_connections_pass_if_the_rules_name_helpers() -> None:
    announced = [flow("20.0.0.1", 10000, expected=True)]
    helped = replace(RTP, helpers=("sip",))
    assert impact(None, ruleset(services=(helped,)), announced).denied == ()
    assert [t.flow for t in impact(None, ruleset(), announced).denied] == announced


def test_connections_begun_from_fenced_ports_to_strangers_are_found() -> None:
    begun = [
        flow(source, port, inbound=False)._replace(begun_here=True)
        for source, port in (("20.0.0.1", 5060), ("20.0.0.1", 40000), ("133.1.2.3", 5060))
    ]
    fence = ruleset(("133.0.0.0/8",))
    assert begun_from_fenced_ports(fence, [*begun, flow("20.0.0.1")]) == (begun[0],)


def test_an_exception_revoked_denies_and_given_admits() -> None:
    without, with_it = ruleset(), ruleset(excepted=("20.0.0.1/32",))
    flows = [flow("20.0.0.1"), flow("20.0.0.9")]
    assert [t.flow for t in impact(with_it, without, flows).denied] == flows[:1]
    assert [t.flow for t in impact(without, with_it, flows).admitted] == flows[:1]
    assert impact(without, with_it, flows).admitted[0].service == "sip"


def test_live_are_those_that_talk_both_ways_for_longer_than_a_scan() -> None:
    dead = [
        flow("20.0.0.1", state=FlowState.NEW),
        flow("20.0.0.1", assured=False),
        flow("20.0.0.1", 5060, "tcp", closing=True),
    ]
    found = impact(None, ruleset(), [*dead, flow("20.0.0.9")])
    assert [touched.flow for touched in found.denied] == [*dead, flow("20.0.0.9")]
    assert [touched.flow for touched in found.denied_live] == [flow("20.0.0.9")]
    assert found.talking == 1


def test_sources_are_sorted_by_connections_and_name_services() -> None:
    flows = [flow("20.0.0.9"), flow("20.0.0.1"), flow("20.0.0.1", 10000), flow("2a00::1")]
    sources = by_source(impact(None, ruleset(), flows).denied)
    assert [str(source) for source in sources] == [
        "20.0.0.1 (rtp 1, sip 1)",
        "20.0.0.9 (sip 1)",
        "2a00::1 (sip 1)",
    ]
    assert sources[0].flows == 2


def test_flows_are_picked_by_their_sources() -> None:
    flows = [flow("20.0.0.9"), flow("133.1.2.3"), flow("2a00::1")]
    assert from_sources(flows, space("20.0.0.0/24", "2a00::/16")) == (flows[0], flows[2])


def test_a_trusted_interface_allows_every_source() -> None:
    trusting = replace(ruleset(), interfaces=("lo", "tun*"))
    flows = [flow("20.0.0.1", interface="wan"), flow("20.0.0.1", interface="tun0")]
    assert [touched.flow for touched in impact(None, trusting, flows).denied] == flows[:1]


def test_the_interface_matters_for_peers_allowed_by_no_set() -> None:
    shut = ruleset(("133.0.0.0/8",))
    trusting = replace(shut, interfaces=("lo", "tun*"))
    stranger, severed = flow("20.0.0.1"), flow("20.0.0.1", inbound=False)._replace(severed=True)
    flows = [flow("133.1.2.3"), stranger, flow("20.0.0.1", 22), flow("::1", inbound=False), severed]
    assert list(depending_on_interface(flows, [shut, trusting])) == [stranger, severed]
    assert list(depending_on_interface(flows, [None, trusting])) == [stranger, severed]
    assert list(depending_on_interface(flows, [None, shut])) == []
