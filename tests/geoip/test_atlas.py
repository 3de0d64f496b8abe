"""The world index tells the country of every address, as the lists themselves do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ListError, StateError
from geofence.geoip import atlas
from geofence.geoip.atlas import Atlas, make_atlas
from geofence.model.address import Address
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet
from tests.support.values import families, prefix_sets, space

MADE = datetime(2026, 2, 1, tzinfo=UTC)
CODES = ("AD", "DE", "FR", "JP")

Spaces = Mapping[str, AddressSpace]


def short_prefixes() -> st.SearchStrategy[PrefixSet]:
    """IPv6 as registries delegate it: no prefix is longer than /64."""
    made = st.builds(
        lambda length, upper: Prefix(Family.IPV6, upper >> (64 - length) << (128 - length), length),
        st.integers(0, 64),
        st.integers(0, 1 << 8) | st.integers(0, (1 << 64) - 1),
    )
    return st.lists(made, max_size=8).map(lambda found: PrefixSet.of(Family.IPV6, found))


def worlds() -> st.SearchStrategy[Spaces]:
    """The lists of a few countries, which overlap more often than not."""
    ipv6 = st.sampled_from([prefix_sets(Family.IPV6), short_prefixes()])
    return ipv6.flatmap(
        lambda chosen: st.dictionaries(
            st.sampled_from(CODES), st.builds(AddressSpace, prefix_sets(Family.IPV4), chosen)
        )
    )


def claimants(spaces: Spaces, address: Address) -> tuple[str, ...]:
    """The countries that have an address, found interval by interval; the one that counts first."""
    found = [
        (past - first, code)
        for code, each in spaces.items()
        for first, past in each[address.family].intervals()
        if first <= address.number < past
    ]
    return tuple(code for _, code in sorted(found))


def telling(spaces: Spaces, family: Family) -> list[int]:
    """The addresses at which the answer can change, and their neighbours."""
    bounds = {bound for each in spaces.values() for bound in each[family].bounds}
    near = {bound + step for bound in bounds for step in (-1, 0, 1)}
    top = (1 << family.bits) - 1
    return sorted(each for each in near | {0, top} if 0 <= each <= top)


@given(worlds(), families, st.data())
def test_every_address_has_the_country_that_its_lists_give(
    spaces: Spaces, family: Family, data: st.DataObject
) -> None:
    made = make_atlas(spaces, MADE)
    drawn = data.draw(st.lists(st.integers(0, (1 << family.bits) - 1), max_size=20))
    for number in (*telling(spaces, family), *drawn):
        expected = claimants(spaces, Address(family, number))
        assert made.claimants(family, number) == expected
        assert made.country(family, number) == next(iter(expected), None)


@given(worlds(), families, st.sampled_from([0, 5_000]), st.integers(1, 9), st.randoms())
def test_many_lookups_are_as_many_single_ones(
    spaces: Spaces, family: Family, few: int, part: int, random: Random
) -> None:
    made = make_atlas(spaces, MADE)
    ascending = telling(spaces, family)
    mixed = [*ascending, *ascending]
    random.shuffle(mixed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atlas, "_FEW", few)
        patch.setattr(atlas, "_PART", part)
        for numbers in (ascending, mixed, ascending[:1], []):
            single = [made.country(family, number) for number in numbers]
            assert made.countries(family, numbers) == single


@given(worlds())
def test_the_list_of_each_country_can_be_read_back(spaces: Spaces) -> None:
    made = make_atlas(spaces, MADE)
    present = {code: each for code, each in spaces.items() if each}
    assert made.spaces() == present
    assert made.codes == tuple(sorted(present))


@given(worlds(), families)
def test_no_two_neighbours_have_the_same_countries(spaces: Spaces, family: Family) -> None:
    pieces = list(make_atlas(spaces, MADE)[family])
    assert (pieces[0][0], pieces[-1][1]) == (0, 1 << family.bits)
    for one, other in pairwise(pieces):
        assert one[1] == other[0]
        assert one[2] != other[2]


def test_of_overlapping_lists_the_most_specific_counts() -> None:
    made = make_atlas(
        {
            "DE": space("192.0.0.0/16", "198.51.100.0/24"),
            "FR": space("192.0.2.0/24", "198.51.100.0/24"),
        },
        MADE,
    )
    assert found(made, "192.0.1.1") == ("DE",)
    assert found(made, "192.0.2.1") == ("FR", "DE")
    assert found(made, "198.51.100.1") == ("DE", "FR")
    assert found(made, "198.51.101.1") == ()


def found(made: Atlas, text: str) -> tuple[str, ...]:
    address = Address.parse(text)
    return made.claimants(address.family, address.number)


def test_an_index_counts_what_countries_have_and_not_what_nobody_has() -> None:
    made = make_atlas({"DE": space("192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32")}, MADE)
    assert (made.ipv4.intervals, made.ipv6.intervals) == (2, 1)


def test_lists_that_overlap_in_too_many_ways_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    spaces = {
        code: space("192.0.2.0/24", f"198.51.{number}.0/24") for number, code in enumerate(CODES)
    }
    assert len(make_atlas(spaces, MADE).labels) == 6
    monkeypatch.setattr(atlas, "_MOST_LABELS", 5)
    with pytest.raises(ListError, match="overlap in too many ways"):
        make_atlas(spaces, MADE)


def test_a_label_that_does_not_exist_is_damage() -> None:
    made = make_atlas({"DE": space("192.0.2.0/24")}, MADE)
    broken = Atlas(MADE, made.labels[:1], made.ipv4, made.ipv6)
    number = Address.parse("192.0.2.1").number
    for lookup in (
        lambda: broken.country(Family.IPV4, number),
        lambda: broken.countries(Family.IPV4, [number]),
        broken.spaces,
    ):
        with pytest.raises(StateError, match="damaged"):
            lookup()
