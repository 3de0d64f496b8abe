"""The enclosing_networks of what is let in, and the order of rules that they allow."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from geofence.backends.prefilter import (
    arranged,
    enclosing_networks,
    from_anywhere,
    networks,
    prefilter_sets,
)
from geofence.backends.prefilter_key import LENGTH, PrefilterKey
from geofence.merge import merge
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import (
    Action,
    Admitted,
    Anything,
    ArrivedBy,
    ExpectedBy,
    LocalNetwork,
    Reply,
    Role,
    Rule,
    SetKey,
    SourceIn,
    SourceWithin,
)
from tests.support.values import (
    JAPAN,
    SIP,
    country,
    families,
    policy,
    prefix,
    prefix_sets,
    space,
)

LAN = LocalNetwork("eth1", prefix("10.1.0.0/24"))
RULESET = replace(merge(policy(local=space()), JAPAN), local=(LAN,))
SERVICE = RULESET.services[0]
BANS = SourceIn(Role.BAN, "")
OTHERS_FIRST = (BANS, Reply(), Admitted(), ArrivedBy("lo"), SourceIn(Role.TIMED, "sip"))


@given(families.flatmap(lambda family: st.tuples(prefix_sets(family), prefix_sets(family))))
def test_the_prefilter_covers_all_allowed_addresses_by_whole_networks(
    parts: tuple[PrefixSet, PrefixSet],
) -> None:
    family = parts[0].family
    around = enclosing_networks(family, parts)
    inside = parts[0] | parts[1]
    assert not inside - around
    step = 1 << (family.bits - LENGTH)
    assert all(bound % step == 0 for bound in around.bounds)
    for network in networks(around)[:50]:
        assert inside & PrefixSet.of_ranges(family, [network], [network + step])


def test_networks_are_those_of_the_first_sixteen_bits() -> None:
    around = enclosing_networks(Family.IPV4, [space("192.0.2.0/24", "198.51.255.0/24").ipv4])
    assert around == space("192.0.0.0/16", "198.51.0.0/16").ipv4
    assert networks(around) == [192 << 24, 198 << 24 | 51 << 16]


def test_there_is_one_set_per_service_and_family_around_all_its_sets() -> None:
    found = prefilter_sets(RULESET)
    assert set(found) == {PrefilterKey(s, f) for s, f in product(("sip", "rtp"), Family)}
    v4 = space("10.1.0.0/16", "192.0.0.0/16", "198.51.0.0/16").ipv4
    assert found[PrefilterKey("sip", Family.IPV4)] == v4


def test_half_of_all_addresses_get_no_prefilter() -> None:
    half = merge(policy(), {country("JP"): space("0.0.0.0/1", "2001:db8::/32")})
    assert {key.family for key in prefilter_sets(half)} == {Family.IPV6}


def test_names_are_read_back_and_never_taken_for_others() -> None:
    for service, family in product(("sip", "near4-x", ""), Family):
        key = PrefilterKey(service, family)
        assert PrefilterKey.parse(key.name) == key
        assert SetKey.parse(key.name) is None
    for role, family in product(Role, Family):
        assert PrefilterKey.parse(SetKey(role, "sip", family).name) is None


def test_cheap_matches_come_first_and_sources_last() -> None:
    chain = arranged(RULESET.rules(SERVICE))
    assert tuple(rule.match for rule in chain.before) == OTHERS_FIRST
    assert all(isinstance(rule.match, SourceIn | SourceWithin) for rule in chain.sources)
    assert [rule.action for rule in chain.last] == [Action.TURN_AWAY]


def test_no_rule_is_lost_or_changed() -> None:
    rules = RULESET.rules(SERVICE)
    chain = arranged(rules)
    kept = [*chain.before, *chain.sources, *chain.last]
    assert len(kept) == len(rules)
    assert set(kept) == set(rules)


def test_nothing_is_moved_across_a_rule_that_drops() -> None:
    rules = RULESET.rules(SERVICE)
    banned = Rule(SourceIn(Role.EXCEPTION, "banned"), Action.DROP, "banned")
    named = [rule.match for rule in rules].index(SourceIn(Role.EXCEPTION, "sip")) + 1
    chain = arranged((*rules[:named], banned, *rules[named:]))
    assert chain.before[: named + 1] == (*rules[:named], banned)
    looked_for = [SourceIn(Role.ALLOW, ""), SourceWithin(LAN.prefix)]
    assert [rule.match for rule in chain.sources] == looked_for


def test_a_chain_that_does_not_end_in_a_drop_stays_as_it_is() -> None:
    rules = RULESET.rules(SERVICE)
    assert arranged(rules[:-1]).before == rules[:-1]
    passing = (*rules[:-1], Rule(Anything(), Action.PASS, ""))
    assert arranged(passing) == (passing, (), ())
    assert arranged(()) == ((), (), ())


def test_a_service_without_addresses_has_an_empty_prefilter() -> None:
    closed = merge(
        policy(local=space(), countries=("JP",), services=(SIP,)), {country("JP"): space()}
    )
    assert not any(prefilter_sets(closed).values())
    assert len(prefilter_sets(closed)) == len(Family)
    assert prefilter_sets(replace(closed, services=())) == {}


def test_from_far_only_trusted_interfaces_matter() -> None:
    trusting = replace(RULESET, interfaces=("lo", "wg*"))
    found = from_anywhere(trusting.rules(SERVICE))
    assert [rule.match for rule in found] == [ArrivedBy("lo"), ArrivedBy("wg*")]


def test_from_far_bans_come_before_what_a_helper_expects() -> None:
    expecting = replace(SERVICE, helpers=("sip",))
    found = from_anywhere(RULESET.rules(expecting))
    assert [rule.match for rule in found] == [BANS, ArrivedBy("lo"), ExpectedBy("sip")]
