from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.allowed.timed import timed_prefixes
from geofence.errors import MissingListError
from geofence.merge import closed, merge, needed_lists
from geofence.model.elements import TimedPrefix
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Blocklist, CountrySwitch, NamedException
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.model.ruleset import Role, SetKey
from tests.support.values import JAPAN, RTP, SIP, country, policy, prefix, prefix_sets, space

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=8)
PAST = NOW - timedelta(seconds=1)
SIP4, RTP4 = (SetKey(Role.TIMED, name, Family.IPV4) for name in ("sip", "rtp"))
US = space("192.0.2.128/25", "203.0.113.0/24")
LISTS = {**JAPAN, country("US"): US}
BAD = Blocklist("bad", prefixes=space("203.0.113.0/25"))


def timed(text: str, until: datetime) -> TimedPrefix:
    return TimedPrefix(prefix(text), until.timestamp())


def hotel(*prefixes: str, until: datetime | None = LATER, **more: object) -> NamedException:
    name = str(more.pop("name", "hotel"))
    return NamedException(name, prefixes=space(*prefixes), until=until, **more)  # type: ignore[arg-type]  # a test's shorthand


def held(found: Mapping[SetKey, Iterable[TimedPrefix]], key: SetKey) -> PrefixSet:
    return PrefixSet.of(key.family, (each.prefix for each in found[key]))


def test_exceptions_with_an_end_are_in_the_timed_sets_only() -> None:
    rules = policy(exceptions=(hotel("203.0.113.9/32", services=("sip",)),))
    found = timed_prefixes(rules, JAPAN, NOW)
    assert found[SIP4] == (timed("203.0.113.9/32", LATER),)
    assert found[RTP4] == ()
    assert merge(rules, JAPAN) == merge(policy(), JAPAN)


def test_there_is_a_set_for_each_service_and_family() -> None:
    assert set(timed_prefixes(policy(), JAPAN, NOW)) == {
        SetKey(Role.TIMED, service.name, family) for service in (SIP, RTP) for family in Family
    }


def test_ended_and_disabled_exceptions_are_left_out() -> None:
    gone = (
        hotel("203.0.113.9/32", until=PAST),
        hotel("203.0.113.8/32", until=NOW),
        hotel("203.0.113.7/32", enabled=False),
    )
    assert not any(timed_prefixes(policy(exceptions=gone), JAPAN, NOW).values())


def test_all_addresses_of_an_exception_have_its_end() -> None:
    push = hotel(
        "203.0.113.9/32", hosts=("a.example", "b.example"), last_known=space("203.0.113.50/32")
    )
    rules = policy(exceptions=(push,))
    a, b = (ListId(ListKind.HOST, host) for host in push.hosts)
    resolved = {a: space("203.0.113.60/32"), b: space("2001:db8::7/128")}
    before = held(timed_prefixes(rules, JAPAN, NOW), SIP4)
    after = timed_prefixes(rules, {**JAPAN, **resolved}, NOW)
    assert before == space("203.0.113.9/32", "203.0.113.50/32").ipv4
    assert held(after, SIP4) == space("203.0.113.9/32", "203.0.113.60/32").ipv4
    assert after[SIP4._replace(family=Family.IPV6)] == (timed("2001:db8::7/128", LATER),)


def test_a_country_until_a_time_is_its_list_less_the_blocklists() -> None:
    usa = CountrySwitch("US", allowed=True, services=("rtp",), until=LATER)
    rules = policy(country_switches=(usa,), blocklists=(BAD,))
    found = timed_prefixes(rules, LISTS, NOW)
    assert held(found, RTP4) == space("192.0.2.128/25", "203.0.113.128/25").ipv4
    assert not found[SIP4]
    assert merge(rules, LISTS) == merge(policy(blocklists=(BAD,)), LISTS)
    assert country("US") in needed_lists(rules)


def test_the_list_of_a_country_until_a_time_is_needed() -> None:
    usa = CountrySwitch("US", allowed=True, until=LATER)
    with pytest.raises(MissingListError, match="country US"):
        timed_prefixes(policy(country_switches=(usa,)), JAPAN, NOW)


def test_a_country_that_is_allowed_for_good_is_in_the_declared_sets() -> None:
    rules = policy(country_switches=(CountrySwitch("US", allowed=True),))
    ruleset = merge(rules, LISTS)
    assert ruleset == merge(policy(countries=("JP", "US")), LISTS)
    assert needed_lists(rules) == (country("JP"), country("US"))
    assert not any(timed_prefixes(rules, LISTS, NOW).values())


def test_a_country_can_be_allowed_or_blocked_for_some_services() -> None:
    usa = CountrySwitch("US", allowed=True, services=("rtp",))
    assert merge(policy(country_switches=(usa,)), LISTS).sets == {
        **merge(policy(), LISTS).sets,
        **{
            SetKey(Role.ALLOW, "rtp", family): (US | JAPAN[country("JP")])[family]
            for family in Family
        },
    }
    japan = CountrySwitch("JP", allowed=False, services=("rtp",))
    rules = policy(country_switches=(japan,))
    assert [rules.service_countries(service) for service in (SIP, RTP)] == [("JP",), ()]


def test_blocking_a_country_also_blocks_it_where_a_service_names_it() -> None:
    services = (SIP, replace(RTP, countries=("US", "JP")))
    japan = CountrySwitch("JP", allowed=False)
    rules = policy(services=services, country_switches=(japan,))
    assert [rules.service_countries(service) for service in services] == [(), ("US",)]


def test_a_closed_fence_allows_no_country_that_was_allowed_by_hand() -> None:
    rules = policy(country_switches=(CountrySwitch("US", allowed=True),))
    assert closed(rules) == closed(policy())


def test_a_policy_at_a_time_has_nothing_that_has_ended() -> None:
    rules = policy(
        countries=("JP", "DE"),
        exceptions=(hotel("203.0.113.9/32", until=NOW), hotel("203.0.113.8/32", name="office")),
        country_switches=(
            CountrySwitch("US", allowed=True, until=NOW),
            CountrySwitch("DE", allowed=True, until=NOW),
            CountrySwitch("JP", allowed=True, until=NOW, revoked_after=True),
        ),
    )
    now = rules.at(NOW)
    assert [each.name for each in now.enabled_exceptions()] == ["office"]
    assert now.timed_countries() == ()
    assert now.service_countries(SIP) == ("DE",)
    assert [each.name for each in rules.at(PAST).enabled_exceptions()] == ["hotel", "office"]


def test_a_country_that_was_revoked_before_is_in_the_timed_sets_only() -> None:
    japan = CountrySwitch("JP", allowed=True, until=LATER, revoked_after=True)
    rules = policy(country_switches=(japan,))
    assert rules.service_countries(SIP) == ()
    assert held(timed_prefixes(rules, JAPAN, NOW), SIP4) == JAPAN[country("JP")].ipv4


ENDS = st.sampled_from([NOW + timedelta(hours=hours) for hours in range(-1, 4)])


@given(
    st.lists(st.tuples(prefix_sets(Family.IPV4), ENDS), max_size=5),
    st.integers(0, 1 << 10) | st.integers(0, (1 << 32) - 1),
)
def test_each_address_has_the_latest_of_its_ends_and_is_there_once(
    given_sets: list[tuple[PrefixSet, datetime]], address: int
) -> None:
    exceptions = tuple(
        NamedException(f"e{number}", prefixes=AddressSpace(ipv4=each), until=until)
        for number, (each, until) in enumerate(given_sets)
    )
    found = timed_prefixes(policy(exceptions=exceptions), JAPAN, NOW)[SIP4]
    addresses = {address, *(end for each, _ in given_sets for end in each.bounds if end < 1 << 32)}
    for each in addresses:
        ends = [until for held, until in given_sets if each in held and until > NOW]
        holding = [t.until for t in found if t.prefix.network <= each < t.prefix.past]
        assert holding == ([max(ends).timestamp()] if ends else [])
