"""The parsers hold against whatever text, and the walk against single packets."""

from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from geofence.errors import BackendError
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family
from geofence.other_rules import iptables, nft
from geofence.other_rules.facts import (
    HIGHEST,
    Condition,
    Deed,
    Jump,
    Leave,
    NoTrack,
    OthersRule,
    OthersTable,
    Span,
    Spans,
)
from geofence.other_rules.port_ranges import complement, within, without
from geofence.other_rules.traversal import find

ports = st.integers(0, 12) | st.integers(HIGHEST - 3, HIGHEST)
spans: st.SearchStrategy[Spans] = st.lists(
    st.tuples(ports, ports).map(lambda ends: Span(min(ends), max(ends))), max_size=3
).map(tuple)


def holds(some: Spans, port: int) -> bool:
    return any(span.first <= port <= span.last for span in some)


@given(spans, spans, ports)
def test_spans_are_sets_of_ports(some: Spans, others: Spans, port: int) -> None:
    assert holds(within(some, others), port) == (holds(some, port) and holds(others, port))
    assert holds(complement(some), port) != holds(some, port)
    assert holds(without(some, others), port) == (holds(some, port) and not holds(others, port))


conditions = st.builds(
    Condition,
    protocols=st.frozensets(st.sampled_from(Protocol), min_size=1),
    destination=spans.filter(bool) | st.just(Condition().destination),
)
deeds: st.SearchStrategy[Deed] = st.sampled_from([NoTrack(), Leave(), Jump("more")])
rules = st.lists(st.builds(OthersRule, conditions, deeds), max_size=5).map(tuple)
ends = st.lists(
    st.builds(OthersRule, conditions, st.sampled_from([NoTrack(), Leave()])), max_size=3
).map(tuple)


@given(rules, ends, ports)
def test_the_walk_finds_the_rules_that_a_packet_meets(
    first: tuple[OthersRule, ...], more: tuple[OthersRule, ...], port: int
) -> None:
    """One packet, one port fenced: the walk tells of it if the packet meets a NOTRACK.

    The kernel goes on behind NOTRACK, to no effect; it may meet more that say the same.
    """
    table = OthersTable("t", {"in": "prerouting"}, {"in": first, "more": more})
    fenced = {"sip": (Ports(Protocol.UDP, port, port),)}
    assert bool(find((table,), fenced).untracked) == meets(first, more, port)


def meets(chain: tuple[OthersRule, ...], more: tuple[OthersRule, ...], port: int) -> bool:
    for rule in chain:
        about = Protocol.UDP in rule.condition.protocols and holds(rule.condition.destination, port)
        if about and rule.deed == Leave():
            return False
        if about and (rule.deed == NoTrack() or meets(more, (), port)):
            return True
    return False


WORDS = """-A PREROUTING OUTPUT -p udp ! --dport --sports 5060 1:2 x -j CT --notrack DNAT REDIRECT
--to-ports --to-destination [::1]:5 1.2.3.4:5-6 " ' -m -i lo -g : ,"""
words = st.sampled_from(WORDS.split())


@given(st.lists(words | st.text(max_size=4), max_size=20).map(" ".join))
def test_any_text_of_iptables_is_read(line: str) -> None:
    iptables.parse(f":PREROUTING ACCEPT [0:0]\n-A PREROUTING {line}\n{line}", "raw", Family.IPV4)


leaves = (
    st.none()
    | st.integers()
    | st.sampled_from(
        ["==", "!=", "udp", "th", "dport", "sport", "lo", "iifname", "l4proto", "@set", "ip"]
    )
)
KEYS = """match op left right payload protocol field meta key set range map data vmap redirect dnat
port addr notrack jump target xt concat"""
keys = st.sampled_from(KEYS.split())
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)


@given(trees)
@example({"match": {"op": []}})
@example({"match": {"op": "==", "left": {"payload": {"field": "dport", "protocol": []}}}})
def test_any_rule_of_nft_is_read(tree: object) -> None:
    chain = {"family": "ip", "table": "t", "name": "c", "type": "nat", "hook": "prerouting"}
    rule = {"family": "ip", "table": "t", "chain": "c", "expr": [tree, {"notrack": None}]}
    text = json.dumps(
        {"nftables": [{"chain": chain}, {"rule": rule}, {"rule": {"expr": tree}}, tree]}
    )
    find(nft.parse(text), {"sip": (Ports(Protocol.UDP, 5060, 5060),)})


@given(st.text() | trees.map(json.dumps))
def test_any_other_text_raises_at_most_a_backend_error(text: str) -> None:
    with suppress(BackendError):
        nft.parse(text)
