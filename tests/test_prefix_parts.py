"""A prefix is cut into parts that are in the same sets, and no address is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from geofence.model.prefixes import Family, Prefix, PrefixSet
from geofence.prefix_parts import cut
from tests.support.values import prefix_sets

PREFIX = Prefix(Family.IPV4, 0, 23)
"""The sets that are drawn are crowded there."""


@given(st.lists(prefix_sets(Family.IPV4), max_size=4))
def test_each_part_is_in_the_same_sets_and_all_parts_are_the_prefix(sets: list[PrefixSet]) -> None:
    def members(number: int) -> tuple[bool, ...]:
        return tuple(number in content for content in sets)

    numbers = range(PREFIX.network, PREFIX.past)
    parts = cut(PREFIX, sets)
    assert sum(part.addresses for part in parts) == len(numbers)
    assert len({members(part.first) for part in parts}) == len(parts)
    for part in parts:
        alike = [number for number in numbers if members(number) == members(part.first)]
        assert part.addresses == len(alike)
        begins = [number for number in alike if number - 1 not in set(alike)]
        assert part.ranges == len(begins)
        assert set(range(part.first, part.past)) <= set(alike)


@given(st.lists(prefix_sets(Family.IPV6), max_size=4), st.integers(0, 128))
def test_the_largest_part_comes_first_whatever_the_length(
    sets: list[PrefixSet], length: int
) -> None:
    parts = cut(Prefix(Family.IPV6, 0, length), sets)
    assert sum(part.addresses for part in parts) == 1 << (128 - length)
    sizes = [part.addresses for part in parts]
    assert sizes == sorted(sizes, reverse=True)
