"""A prefix is cut into parts that are in the same sets, and no address is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from geofence.allowed.prefix_parts import cut
from geofence.model.prefixes import Family, Prefix, PrefixSet
from tests.support.values import prefix_sets

PREFIX = Prefix(Family.IPV4, 0, 23)
"""The sets that are drawn are crowded there."""


@given(st.lists(prefix_sets(Family.IPV4), max_size=4), st.integers(1, 4))
def test_each_part_is_told_alike_and_all_parts_are_the_prefix(
    sets: list[PrefixSet], kinds: int
) -> None:
    def tell(number: int) -> str:
        return str(sum(number in content for content in sets) % kinds)

    numbers = range(PREFIX.network, PREFIX.past)
    parts = cut(PREFIX, sets, tell)
    assert sum(part.addresses for _, part in parts) == len(numbers)
    assert len({text for text, _ in parts}) == len(parts)
    for text, part in parts:
        alike = {number for number in numbers if tell(number) == text}
        assert part.addresses == len(alike)
        assert part.ranges == sum(number - 1 not in alike for number in alike)
        assert set(range(part.first, part.past)) <= alike
        assert not {part.first - 1, part.past} & alike


@given(st.lists(prefix_sets(Family.IPV6), max_size=4), st.integers(0, 128))
def test_the_largest_part_comes_first_whatever_the_length(
    sets: list[PrefixSet], length: int
) -> None:
    def tell(number: int) -> str:
        return str([number in content for content in sets])

    parts = cut(Prefix(Family.IPV6, 0, length), sets, tell)
    sizes = [part.addresses for _, part in parts]
    assert sum(sizes) == 1 << (128 - length)
    assert sizes == sorted(sizes, reverse=True)


def test_what_is_told_is_asked_once_for_all_that_are_in_the_same_sets() -> None:
    asked = []

    def tell(number: int) -> str:
        asked.append(number)
        return ""

    evens = PrefixSet.of_ranges(Family.IPV4, list(range(0, 512, 2)), list(range(1, 513, 2)))
    [(_, part)] = cut(PREFIX, [evens], tell)
    assert (part.ranges, part.addresses, len(asked)) == (1, 512, 2)
