from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.allowed.left_out import WhyLeftOut, left_out
from geofence.errors import MissingListError
from geofence.merge import blocked, closed, merge, needed_lists
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Blocklist, NamedException
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.model.ruleset import LocalNetwork, Role, SetKey
from geofence.routing.local_networks import Place, Reached
from tests.support.values import (
    JAPAN,
    RTP,
    SIP,
    country,
    families,
    policy,
    prefix,
    prefix_sets,
    space,
)

ALLOW4 = SetKey(Role.ALLOW, "", Family.IPV4)
ALLOW6 = SetKey(Role.ALLOW, "", Family.IPV6)
SIP4 = SetKey(Role.EXCEPTION, "sip", Family.IPV4)
RTP4 = SetKey(Role.EXCEPTION, "rtp", Family.IPV4)


def test_services_with_the_same_countries_share_their_set() -> None:
    ruleset = merge(policy(), JAPAN)
    assert {service.allow_group for service in ruleset.services} == {""}
    assert ruleset.sets[ALLOW4] == JAPAN[country("JP")].ipv4
    assert ruleset.sets[ALLOW6] == JAPAN[country("JP")].ipv6


def test_a_service_may_have_countries_of_its_own() -> None:
    rtp = replace(RTP, countries=("US", "JP"))
    lists = {**JAPAN, country("US"): space("203.0.113.0/24")}
    ruleset = merge(policy(services=(SIP, rtp)), lists)
    own = ruleset.sets[SetKey(Role.ALLOW, "rtp", Family.IPV4)]
    assert own == (lists[country("US")] | lists[country("JP")]).ipv4
    assert ruleset.sets[ALLOW4] == JAPAN[country("JP")].ipv4


def test_equal_countries_in_another_order_are_the_same_policy() -> None:
    rules = policy(countries=("JP", "US"), services=(SIP, replace(RTP, countries=("US", "JP"))))
    ruleset = merge(rules, {**JAPAN, country("US"): space("203.0.113.0/24")})
    assert {service.allow_group for service in ruleset.services} == {""}


def test_only_sets_used_by_a_service_are_made() -> None:
    rules = policy(services=(replace(SIP, countries=("US",)),))
    ruleset = merge(rules, {country("US"): space("203.0.113.0/24")})
    assert ALLOW4 not in ruleset.sets


def test_blocklists_are_taken_from_countries_and_not_from_exceptions() -> None:
    rules = policy(
        blocklists=(
            Blocklist("bad", prefixes=space("192.0.2.0/25")),
            Blocklist("worse", urls=("https://lists.example/worse",)),
            Blocklist("off", prefixes=space("198.51.100.0/25"), enabled=False),
        ),
        exceptions=(NamedException("trunk", prefixes=space("192.0.2.1/32")),),
    )
    listed = ListId(ListKind.BLOCKLIST, "worse")
    japan = {country("JP"): JAPAN[country("JP")] | space("2400:4000::/48")}
    ruleset = merge(rules, {**japan, listed: space("2400:4000::/49")})
    assert ruleset.sets[ALLOW4] == space("192.0.2.128/25", "198.51.100.0/25").ipv4
    assert ruleset.sets[ALLOW6] == space("2001:db8:1::/48", "2400:4000:0:8000::/49").ipv6
    assert space("192.0.2.1/32").ipv4.bounds[0] in ruleset.sets[SIP4]


BAD = ListId(ListKind.BLOCKLIST, "bad")
BOGONS = space("0.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "224.0.0.0/3", "fc00::/7")
"""Bogons, which FireHOL's level 1 has always among its addresses."""
DOWNLOADED = Blocklist("bad", urls=("https://lists.example/bad",))


def test_a_downloaded_list_blocks_public_addresses_only() -> None:
    rules = policy(blocklists=(replace(DOWNLOADED, prefixes=space("10.9.0.0/16")),))
    lists = {**JAPAN, BAD: BOGONS | space("133.1.0.0/16")}
    assert blocked(rules, lists) == space("133.1.0.0/16", "10.9.0.0/16")


def test_a_downloaded_list_does_not_block_local_networks_and_prefixes_do() -> None:
    local = {
        "local": space("133.1.2.0/24"),
        "local_on": (LocalNetwork("e", prefix("133.1.3.0/24")),),
    }
    lists = {country("JP"): space("133.1.0.0/16"), BAD: space("133.1.0.0/22")}
    rules = policy(blocklists=(DOWNLOADED,), **local)
    assert blocked(rules, lists) == space("133.1.0.0/23")
    assert merge(rules, lists).sets[ALLOW4] == (lists[country("JP")] - space("133.1.0.0/23")).ipv4
    never = Blocklist("never", prefixes=space("133.1.2.7/32"))
    rules = policy(blocklists=(DOWNLOADED, never), **local)
    assert blocked(rules, lists) == space("133.1.0.0/23", "133.1.2.7/32")


def test_what_is_left_out_of_a_blocklist_is_counted_once_by_its_reason() -> None:
    rules = policy(
        local=space("10.0.0.0/8", "133.2.0.0/24"),
        blocklists=(DOWNLOADED, replace(DOWNLOADED, name="off", enabled=False)),
        exceptions=(
            NamedException("trunk", prefixes=space("133.1.2.3/32"), services=("sip",)),
            NamedException("off", prefixes=space("133.1.2.4/32"), enabled=False),
            NamedException("lan", prefixes=space("10.1.0.0/16", "133.2.0.7/32")),
        ),
    )
    lists = {**JAPAN, BAD: BOGONS | space("133.1.0.0/16", "133.2.0.0/16")}
    assert {each.why: each.space for each in left_out(rules, lists)} == {
        WhyLeftOut.SPECIAL: BOGONS,
        WhyLeftOut.LOCAL: space("133.2.0.0/24"),
        WhyLeftOut.EXCEPTION: space("133.1.2.3/32"),
    }
    assert not list(left_out(rules, JAPAN))


@given(families.flatmap(lambda family: st.tuples(*[prefix_sets(family)] * 4)))
def test_what_a_blocklist_blocks_and_what_is_left_out_make_it_up(
    sets: tuple[PrefixSet, PrefixSet, PrefixSet, PrefixSet],
) -> None:
    bad, local, trunk, japan = (
        AddressSpace(each) if each.family is Family.IPV4 else AddressSpace(ipv6=each)
        for each in sets
    )
    rules = policy(
        local=local,
        blocklists=(DOWNLOADED,),
        exceptions=(NamedException("trunk", prefixes=trunk),),
    )
    lists = {country("JP"): japan, BAD: bad}
    out = {each.why: each.space for each in left_out(rules, lists)}
    assert AddressSpace.union((blocked(rules, lists), *out.values())) == bad
    excepted = out.pop(WhyLeftOut.EXCEPTION, AddressSpace())
    assert blocked(rules, lists) == bad - AddressSpace.union(out.values())
    assert not excepted - trunk
    ruleset = merge(rules, lists)
    for family in Family:
        assert (
            ruleset.sets[SetKey(Role.ALLOW, "", family)] == (japan - blocked(rules, lists))[family]
        )
        assert ruleset.sets[SetKey(Role.EXCEPTION, "sip", family)] == trunk[family]


def test_an_exception_opens_only_its_services_and_only_when_enabled() -> None:
    push = NamedException("push", prefixes=space("203.0.113.9/32"), services=("sip",))
    address = space("203.0.113.9/32").ipv4.bounds[0]
    on = merge(policy(exceptions=(push,)), JAPAN)
    assert address in on.sets[SIP4]
    assert address not in on.sets[RTP4]
    off = merge(policy(exceptions=(replace(push, enabled=False),)), JAPAN)
    assert address not in off.sets[SIP4]


def test_last_known_addresses_are_used_until_all_host_names_resolved() -> None:
    known = space("203.0.113.8/31")
    push = NamedException("push", hosts=("a.example", "b.example"), last_known=known)
    rules = policy(exceptions=(push,), local=AddressSpace())
    a, b = (ListId(ListKind.HOST, host) for host in push.hosts)
    one, other = space("203.0.113.50/32"), space("203.0.113.60/32")
    assert merge(rules, JAPAN).sets[SIP4] == known.ipv4
    assert merge(rules, {**JAPAN, a: one}).sets[SIP4] == (known | one).ipv4
    assert merge(rules, {**JAPAN, a: one, b: other}).sets[SIP4] == (one | other).ipv4


def test_prefixes_of_an_exception_count_beside_its_host_names() -> None:
    trunk = NamedException("trunk", hosts=("sip.example",), prefixes=space("203.0.113.0/28"))
    rules = policy(exceptions=(trunk,), local=AddressSpace())
    proxy = space("198.51.100.7/32")
    host = ListId(ListKind.HOST, "sip.example")
    assert merge(rules, {**JAPAN, host: proxy}).sets[SIP4] == (proxy | trunk.prefixes).ipv4
    assert merge(rules, JAPAN).sets[SIP4] == trunk.prefixes.ipv4


def test_a_list_that_was_never_downloaded_is_named() -> None:
    with pytest.raises(MissingListError, match=r"country JP.*geofence refresh"):
        merge(policy(), {})


def test_needed_lists_are_those_of_enabled_rules() -> None:
    rules = policy(
        services=(SIP, replace(RTP, countries=("US",))),
        blocklists=(Blocklist("drop", urls=("https://x.example/",)),),
        exceptions=(
            NamedException("a", hosts=("a.example",)),
            NamedException("b", hosts=("b.example",), enabled=False),
        ),
    )
    assert [str(wanted) for wanted in needed_lists(rules)] == [
        "country JP",
        "country US",
        "blocklist drop",
        "host a.example",
    ]


def test_closed_allows_exceptions_and_local_networks_only() -> None:
    push = NamedException("push", hosts=("push.example",), last_known=space("203.0.113.9/32"))
    rtp = replace(RTP, countries=("US",))
    places = (Place("eth1", prefix("10.1.0.0/16"), Reached.CONNECTED),)
    ruleset = closed(policy(exceptions=(push,), services=(SIP, rtp)), places)
    assert not ruleset.sets[ALLOW4]
    assert ruleset.sets[SIP4] == space("203.0.113.9/32").ipv4
    assert ruleset.local == (LocalNetwork("eth1", prefix("10.1.0.0/16")),)


def test_a_local_network_is_in_no_set_of_exceptions() -> None:
    merged = merge(policy(), JAPAN)
    assert not any(merged.sets[SetKey(Role.EXCEPTION, "sip", family)] for family in Family)
    assert merged.local == ()
