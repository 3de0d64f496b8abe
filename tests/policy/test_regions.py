"""Regions and AS numbers, wherever countries are named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import RulesError
from geofence.merge import needed_lists
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import CountrySwitch, Policy
from geofence.policy.asns import asn
from geofence.policy.mistakes import Mistake
from geofence.policy.regions import expanded, regions_in
from tests.policy.rules import policy

REGIONS = """
[region.nordics]
countries = ["DK", "SE"]
[region.north]
countries = ["@nordics", "EE", "@baltics"]
[region.baltics]
countries = ["EE", "LV"]
"""
SIP = '[service.sip]\nports = ["5060/udp"]\n'
RTP = '[service.rtp]\nports = ["10000/udp"]\n'


def names(rules: Policy, service: int = 0) -> tuple[str, ...]:
    return rules.allowed(rules.services[service]).written(rules.regions)


def test_a_region_is_its_countries() -> None:
    rules = policy(REGIONS, SIP, '[allow]\ncountries = ["jp", "@nordics", "SE"]')
    assert rules.countries == ("JP", "SE", "DK")
    assert rules.service_countries(rules.services[0]) == rules.countries
    assert names(rules) == ("JP", "@nordics")


def test_regions_may_contain_others() -> None:
    rules = policy(REGIONS, SIP, '[allow]\ncountries = ["@north"]')
    assert set(rules.countries) == {"DK", "SE", "EE", "LV"}
    assert len(rules.countries) == 4
    assert names(rules) == ("@north",)


def test_a_later_file_gives_a_region_other_countries() -> None:
    rules = policy(
        REGIONS, SIP, '[allow]\ncountries = ["@north"]', '[region.baltics]\ncountries = ["LT"]'
    )
    assert set(rules.countries) == {"DK", "SE", "EE", "LT"}


def test_a_service_that_names_countries_or_as_numbers_has_only_those() -> None:
    allow = '[allow]\ncountries = ["JP"]\nasns = [4713]\n'
    for own, countries, asns, shown in (
        ("", ("JP",), (4713,), ("JP", "AS4713")),
        ('countries = ["@baltics"]', ("EE", "LV"), (), ("@baltics",)),
        ("asns = [2914]", (), (2914,), ("AS2914",)),
        ('countries = ["DE"]\nasns = ["AS2914"]', ("DE",), (2914,), ("DE", "AS2914")),
        ("countries = []", (), (), ()),
        ("asns = []", (), (), ()),
    ):
        rules = policy(REGIONS, allow, f"{SIP}{own}\n")
        allowed = rules.allowed(rules.services[0])
        assert (allowed.countries, allowed.asns, names(rules)) == (countries, asns, shown)


def test_the_lists_that_rules_need() -> None:
    rules = policy(
        REGIONS,
        '[allow]\ncountries = ["@nordics"]\nasns = [4713]',
        f'{SIP}{RTP}countries = ["JP", "DK"]\nasns = [2914]',
        '[blocklist.x]\nurl = "https://x.example/"',
    )
    assert list(map(str, needed_lists(rules))) == [
        "country DK",
        "country SE",
        "country JP",
        "asn 4713",
        "asn 2914",
        "blocklist x",
    ]


def test_limits_of_as_numbers() -> None:
    rules = policy('[guard.shrink]\n"asn AS4713" = 5\nasn = 20')
    assert rules.shrink_limit(ListId(ListKind.ASN, "4713")) == 5
    assert rules.shrink_limit(ListId(ListKind.ASN, "2914")) == 20
    assert rules.shrink_limit(ListId(ListKind.COUNTRY, "JP")) is None


@pytest.mark.parametrize("text", ["4713", "AS4713", "as4713", "04713"])
def test_spellings_of_an_as_number(text: str) -> None:
    assert asn(text) == 4713


@given(st.integers(-10, (1 << 32) + 10) | st.integers(64_490, 65_560) | st.sampled_from((23_456,)))
def test_the_numbers_that_networks_have(number: int) -> None:
    reserved = (
        not 0 < number < (1 << 32) - 1
        or number == 23_456
        or 64_496 <= number <= 65_551
        or number >= 4_200_000_000
    )
    try:
        assert asn(str(number)) == number
        assert not reserved
    except Mistake:
        assert reserved


LETTERS = "abcdef"
GRAPHS = st.dictionaries(
    st.sampled_from(LETTERS),
    st.lists(
        st.sampled_from(("JP", "DE", "SE", *(f"@{letter}" for letter in LETTERS))),
        min_size=1,
        unique=True,
    ),
    min_size=1,
)


def reachable(graph: dict[str, list[str]], name: str) -> set[str]:
    """All that a region leads to, found another way: by as many steps as there are regions."""
    found = set(graph.get(name, ()))
    for _ in graph:
        found |= {item for each in found if each[0] == "@" for item in graph.get(each[1:], ())}
    return found


@given(GRAPHS)
def test_regions_are_all_that_they_lead_to_or_a_mistake(graph: dict[str, list[str]]) -> None:
    text = "".join(
        f"[region.{name}]\ncountries = [{', '.join(map(repr, items))}]\n".replace("'", '"')
        for name, items in graph.items()
    )
    known = all(each[1:] in graph for items in graph.values() for each in items if each[0] == "@")
    cyclic = any(f"@{name}" in reachable(graph, name) for name in graph)
    try:
        rules = policy(text)
    except RulesError:
        assert cyclic or not known
        return
    assert known
    assert not cyclic
    for name in graph:
        codes = {each for each in reachable(graph, name) if each[0] != "@"}
        assert set(rules.regions[name]) == codes
        assert len(rules.regions[name]) == len(codes)


def test_a_region_is_not_named_if_the_command_line_blocks_a_part_of_it() -> None:
    rules = policy(REGIONS, SIP, '[allow]\ncountries = ["JP", "@nordics"]\nasns = [4713]')
    blocked = replace(rules, country_switches=(CountrySwitch("SE", allowed=False),))
    assert names(blocked) == ("JP", "DK", "AS4713")
    more = replace(rules, country_switches=(CountrySwitch("FI", allowed=True),))
    assert names(more) == ("JP", "FI", "@nordics", "AS4713")
    assert set(more.allowed(more.services[0]).countries) == {"JP", "DK", "SE", "FI"}


def test_expansion_alone() -> None:
    written = {"a": ("@b", "JP"), "b": ("@a", "DE")}
    assert set(expanded(("@a", "SE"), written)) == {"JP", "DE", "SE"}
    assert regions_in(("JP", "@a")) == ("a",)
