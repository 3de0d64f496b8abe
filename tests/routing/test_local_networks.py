"""Which networks are trusted where: the algebra against a model that asks address by address."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.model.ruleset import LocalNetwork
from geofence.routing.local_networks import Place, Reached, local_networks, where_trusted
from tests.support.values import families, policy, prefix, prefixes, space

SHIPPED = space("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")


def trusted(
    *places: tuple[str, str], local: AddressSpace = SHIPPED, **rules: object
) -> tuple[str, ...]:
    """What is trusted where these networks are reached."""
    observed = (Place(name, prefix(text), Reached.ROUTED) for name, text in places)
    return tuple(map(str, local_networks(policy(local=local, **rules), observed)))


def test_a_network_is_trusted_where_it_is_reached_and_only_as_far() -> None:
    assert trusted(("eth1", "192.168.5.0/24"), ("eth0", "203.0.113.0/24")) == (
        "192.168.5.0/24@eth1",
    )
    assert trusted(("eth1", "fd00:1::/64"), ("wg1", "10.0.0.0/8")) == (
        "fd00:1::/64@eth1",
        "10.0.0.0/8@wg1",
    )


def test_without_addresses_and_routes_nothing_is_trusted() -> None:
    assert trusted() == ()


@pytest.mark.parametrize(
    "route", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "8.0.0.0/5", "2000::/3", "::/3"]
)
@pytest.mark.parametrize("local", [SHIPPED, space("0.0.0.0/0", "::/0")])
def test_a_default_route_whole_or_in_parts_never_counts(route: str, local: AddressSpace) -> None:
    assert trusted(("eth0", route), local=local) == ()


def test_a_route_broader_than_the_network_of_the_rules_counts_for_that_network() -> None:
    narrow = space("192.168.5.0/24")
    assert trusted(("eth1", "192.168.0.0/16"), local=narrow) == ("192.168.5.0/24@eth1",)


def test_the_loopback_and_trusted_interfaces_need_no_networks() -> None:
    reached = (("lo", "10.0.0.1/32"), ("wg0", "10.9.0.0/24"))
    assert trusted(*reached, interfaces=("lo", "wg0")) == ()


def test_link_local_and_loopback_addresses_are_trusted_by_choice_alone() -> None:
    old = SHIPPED | space("127.0.0.0/8", "169.254.0.0/16", "fe80::/10", "::1/128")
    reached = (("eth0", "fe80::/64"), ("eth0", "169.254.0.0/16"), ("eth0", "127.0.0.0/8"))
    assert trusted(*reached, local=old) == ()
    assert trusted(*reached, local=old, link_local=("eth1",)) == (
        "169.254.0.0/16@eth1",
        "fe80::/10@eth1",
    )


def test_a_network_with_its_interface_is_trusted_there_without_a_route() -> None:
    at = (LocalNetwork("eth*", prefix("192.168.5.0/24")),)
    assert trusted(("wan", "192.168.5.0/24"), local=AddressSpace(), local_on=at) == (
        "192.168.5.0/24@eth*",
    )


@pytest.mark.parametrize("name", ["e*", "a b", "-j", "a'b", "if:1", "ü"])
def test_an_interface_with_an_invalid_name_is_not_trusted(name: str) -> None:
    assert trusted((name, "10.0.0.0/24")) == ()


_NAMES = st.sampled_from(["lo", "eth0", "eth1"])
_ANY = families.flatmap(prefixes)
_PLACES = st.lists(st.builds(Place, _NAMES, _ANY, st.sampled_from(list(Reached))), max_size=6)
_NEVER = (space("127.0.0.0/8", "169.254.0.0/16"), space("::1/128", "fe80::/10"))


def expected(rules: Policy, places: list[Place], name: str, where: tuple[Family, int]) -> bool:
    """Whether the address is trusted there, by the words of the documentation."""
    family, address = where

    def within(network: Prefix) -> bool:
        same = network.family is family
        return same and address >> (family.bits - network.length) == network.network >> (
            family.bits - network.length
        )

    if any(each.interface == name and within(each.prefix) for each in rules.local_on):
        return True
    if name == "lo" or any(address in never[family] for never in _NEVER):
        return False
    least = 8 if family is Family.IPV4 else 7
    reached = (place.prefix for place in places if place.interface == name)
    met = any(within(network) and network.length >= least for network in reached)
    return met and address in rules.local[family]


@given(st.lists(_ANY, max_size=5), _PLACES, st.lists(st.tuples(_NAMES, _ANY), max_size=3))
@example([prefix("0.0.0.0/0")], [Place("eth0", prefix("10.0.0.0/8"), Reached.CONNECTED)], [])
def test_trusted_networks_follow_the_documented_rule(
    local: list[Prefix], places: list[Place], named: list[tuple[str, Prefix]]
) -> None:
    on = tuple(LocalNetwork(*each) for each in named)
    rules = policy(local=AddressSpace.of(local), local_on=on)
    found = local_networks(rules, places)
    assert list(found) == sorted(set(found))
    ends = {
        (each.family, end)
        for each in (*local, *(place.prefix for place in places), *(p for _, p in named))
        for end in (each.network - 1, each.network, each.past - 1, each.past)
        if 0 <= end < 1 << each.family.bits
    }
    for where in ends:
        for name in ("lo", "eth0", "eth1"):
            told = name in where_trusted(found, *where)
            assert told is expected(rules, places, name, where), (name, where)


@given(st.lists(_ANY, max_size=5), _PLACES)
def test_each_network_is_listed_once(local: list[Prefix], places: list[Place]) -> None:
    found = local_networks(policy(local=AddressSpace.of(local)), places)
    for one in found:
        others = [each for each in found if each != one and each.interface == one.interface]
        assert where_trusted(others, one.prefix.family, one.prefix.network) == []
