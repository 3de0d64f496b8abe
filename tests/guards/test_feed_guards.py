"""The checks of feeds: what a provider's list may gain, lose and have."""

from __future__ import annotations

import pytest

from geofence.guards.lists import check_list
from geofence.guards.objection import Guard
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family
from tests.support.values import policy, space

FEED = ListId(ListKind.FEED, "provider-media")
HELD = space("36.255.198.128/25", "64.16.226.0/24", "2400:4000:1::/48")


def objections(candidate: AddressSpace, previous: AddressSpace | None = HELD) -> list[str]:
    """The overrides that a version asks for."""
    found = check_list(FEED, candidate, previous, policy())
    return sorted({each.accept for each in found})


def test_the_same_and_a_little_more_or_less_are_accepted() -> None:
    assert objections(HELD) == []
    assert objections(HELD | space("64.16.227.0/24")) == []
    assert objections(HELD - space("36.255.198.128/25")) == []


def test_a_few_addresses_may_multiply() -> None:
    assert objections(space("64.16.226.0/24"), space("64.16.226.1/32", "64.16.226.3/32")) == []


@pytest.mark.parametrize("more", [("64.16.0.0/20",), ("133.0.0.0/18",), ("2400:5000::/38",)])
def test_one_that_grows_tenfold_is_refused(more: tuple[str, ...]) -> None:
    assert objections(HELD | space(*more)) == ["growth=provider-media"]


@pytest.mark.parametrize("left", [("36.255.198.128/26", "2400:4000:1::/48"), ("64.16.226.0/24",)])
def test_one_that_loses_most_of_a_family_is_refused(left: tuple[str, ...]) -> None:
    assert objections(space(*left)) == ["shrink=provider-media"]


@pytest.mark.parametrize(
    ("wide", "guards"),
    [
        ("0.0.0.0/0", {"broad", "special-purpose", "first-run"}),
        ("::/0", {"broad", "special-purpose", "first-run"}),
        ("52.0.0.0/15", {"broad"}),
        ("2400:4000::/31", {"broad"}),
        ("10.1.0.0/24", {"special-purpose"}),
        ("192.168.7.0/24", {"special-purpose"}),
        ("127.0.0.1/32", {"special-purpose"}),
        ("169.254.0.0/24", {"special-purpose"}),
        ("224.0.0.0/24", {"special-purpose"}),
        ("fd00:99::/64", {"special-purpose"}),
    ],
)
def test_what_no_provider_has_is_refused_from_the_first_version_on(
    wide: str, guards: set[str]
) -> None:
    asked = {f"{guard}=provider-media" for guard in guards}
    assert set(objections(HELD | space(wide), None)) == asked


def test_more_addresses_than_a_provider_has_are_refused() -> None:
    many = space(*(f"{octet}.7.0.0/16" for octet in range(20, 25)))
    assert objections(many, None) == ["first-run=provider-media"]
    assert "growth=provider-media" in objections(many, many)


def test_the_widest_known_prefix_is_accepted() -> None:
    assert objections(space("168.86.128.0/18"), None) == []


def test_shrink_has_a_limit_in_the_rules() -> None:
    rules = policy(shrink_limits={"feed provider-media": 100.0})
    assert check_list(FEED, space("64.16.226.0/24", "2400:4000:1::/48"), HELD, rules) == ()
    strict = policy(shrink_limits={"feed": 1.0})
    (found,) = check_list(FEED, HELD - space("36.255.198.128/30"), HELD, strict)
    assert found.guard is Guard.SHRINK


def test_many_small_gains_are_a_large_one_after_a_month() -> None:
    grown = HELD | space("64.16.232.0/21")
    month_ago = {family: HELD[family].size for family in Family}
    found = check_list(FEED, grown, grown, policy(), month_ago=month_ago)
    assert [each.accept for each in found] == ["growth=provider-media"]
