"""The checks of the lists of AS numbers, at their limits."""

from __future__ import annotations

import pytest

from geofence.guards.limits import ASN_GAIN, ASN_MOST, ASN_MOST_LOST, MONTHLY
from geofence.guards.lists import check_list
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from tests.support.values import space

OCN = ListId(ListKind.ASN, "4713")
START = {Family.IPV4: 0x14000000, Family.IPV6: 0x2400 << 112}
"""20.0.0.0 and 2400::, in public space."""


def block(family: Family, size: int) -> AddressSpace:
    """So many addresses in a row, and nothing of the other family."""
    first = START[family]
    some = PrefixSet.of_ranges(family, [first], [first + size])
    return AddressSpace(**{family.value: some})


def tokens(
    candidate: AddressSpace,
    previous: AddressSpace | None,
    rules: Policy | None = None,
    month_ago: dict[Family, int] | None = None,
) -> list[str]:
    """The overrides that a new version would need."""
    written = dict.fromkeys(Family, 20)  # as prefixes that are not too broad
    found = check_list(
        OCN, candidate, previous, rules or Policy(), broadest=written, month_ago=month_ago
    )
    return [each.accept for each in found]


@pytest.mark.parametrize("family", Family)
def test_half_may_go_at_once_and_no_more(family: Family) -> None:
    before = block(family, 1 << 17)
    half = int((1 << 17) * (1 - ASN_MOST_LOST / 100))
    assert tokens(block(family, half), before) == []
    assert tokens(block(family, half - 1), before) == ["shrink=4713"]
    assert tokens(AddressSpace(), before) == ["shrink=4713"]


def test_the_rules_set_the_limit() -> None:
    before, after = block(Family.IPV4, 1000), block(Family.IPV4, 900)
    assert tokens(after, before, Policy(shrink_limits={"asn": 5})) == ["shrink=4713"]
    assert tokens(after, before, Policy(shrink_limits={"asn": 5, "asn 4713": 10})) == []
    assert tokens(after, before, Policy(shrink_limits={"country": 5})) == []


@pytest.mark.parametrize("family", Family)
def test_an_unusual_gain_waits_for_a_second_mirror(family: Family) -> None:
    usual = ASN_GAIN[family]
    before = usual.gain_counts_from
    most = before + int(before * usual.most_gained / 100)
    assert tokens(block(family, most), block(family, before)) == []
    assert tokens(block(family, most + before), block(family, before)) == ["growth=4713"]


def test_a_small_gain_never_matters() -> None:
    few = ASN_GAIN[Family.IPV4].gain_counts_from - 1
    assert tokens(block(Family.IPV4, 256 + few), block(Family.IPV4, 256)) == []


def test_many_small_gains_make_a_large_one() -> None:
    month_ago = 1 << 20
    usual = ASN_GAIN[Family.IPV4].most_gained
    most = month_ago + int(MONTHLY * usual / 100 * month_ago)
    before = block(Family.IPV4, most)
    assert tokens(before, before, None, {Family.IPV4: month_ago}) == []
    more = block(Family.IPV4, most + 1)
    assert tokens(more, before, None, {Family.IPV4: month_ago}) == ["growth=4713"]


@pytest.mark.parametrize("family", Family)
def test_no_network_is_larger_than_any(family: Family) -> None:
    most = ASN_MOST[family]
    assert [t for t in tokens(block(family, most), None) if t != "broad=4713"] == []
    assert "first-run=4713" in tokens(block(family, most + 1), None)
    same = block(family, most + 1)
    assert "growth=4713" in tokens(same, same)


def test_special_purpose_addresses_and_broad_prefixes() -> None:
    assert tokens(space("20.0.0.0/16", "10.1.0.0/16"), None) == ["special-purpose=4713"]
    broad = check_list(OCN, space("20.0.0.0/7"), None, Policy())
    assert [each.accept for each in broad] == ["broad=4713"]
    assert tokens(space("20.0.0.0/16"), None) == []
