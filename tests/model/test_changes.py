from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from geofence.model.changes import change_between, sharing
from geofence.model.prefixes import AddressSpace, Family
from tests.support.values import prefix_sets

spaces = st.builds(AddressSpace, prefix_sets(Family.IPV4), prefix_sets(Family.IPV6))
versions = st.tuples(spaces, spaces, spaces).map(
    lambda drawn: (drawn[0] | drawn[2], drawn[1] | drawn[2])
)
"""Two versions of a list, which have a part in common."""
NOTHING = AddressSpace()


@given(versions)
def test_a_change_is_what_was_gained_and_what_was_lost(
    pair: tuple[AddressSpace, AddressSpace],
) -> None:
    before, later = pair
    assert change_between(before, later) == (later - before, before - later)
    assert bool(change_between(before, later)) == (before != later)
    assert change_between(NOTHING, later) == (later, NOTHING)
    assert change_between(before, NOTHING) == (NOTHING, before)


@given(versions)
def test_a_space_that_shares_the_numbers_of_another_is_the_same(
    pair: tuple[AddressSpace, AddressSpace],
) -> None:
    one, other = pair
    shared = sharing(one, other)
    assert shared == one
    for family in Family:
        theirs = {each: id(each) for each in other[family].bounds}
        assert all(theirs.get(each, id(each)) == id(each) for each in shared[family].bounds)
