"""Tables hold the networks of everybody who might be allowed, and few besides."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from geofence.model.prefixes import Family, Prefix, PrefixSet
from geofence.shield.tables import BLOCKS_AT, Table, table_of
from tests.shield.frames import prefixes

COARSE = {Family.IPV4: 24, Family.IPV6: 32}


def widened(allowed: PrefixSet) -> PrefixSet:
    """The networks of the table's grain that hold an address of the set, by the algebra."""
    rest = allowed.family.bits - COARSE[allowed.family]
    firsts = [first >> rest << rest for first, _ in allowed.intervals()]
    pasts = [-(-past >> rest) << rest for _, past in allowed.intervals()]
    return PrefixSet.of_ranges(allowed.family, firsts, pasts)


@st.composite
def sets_and_addresses(draw: st.DrawFn) -> tuple[PrefixSet, list[int]]:
    """A set, and addresses at its borders and anywhere."""
    family = draw(st.sampled_from(Family))
    held = PrefixSet.of(family, draw(st.lists(prefixes(family), max_size=12)))
    grain = 1 << (family.bits - COARSE[family])
    edges = [b + by for b in held.bounds for by in (-grain, -1, 0, 1, grain)]
    number = st.integers(0, (1 << family.bits) - 1)
    own = [each for each in edges if 0 <= each < 1 << family.bits]
    return held, own + draw(st.lists(number, max_size=5))


@given(sets_and_addresses())
@example((PrefixSet(Family.IPV4, (0, 1 << 32)), [0, 1 << 31, (1 << 32) - 1]))
@example((PrefixSet(Family.IPV6), [0, 1, (1 << 128) - 1]))
def test_a_table_holds_the_networks_of_a_set_and_no_others(
    given_set: tuple[PrefixSet, list[int]],
) -> None:
    held, addresses = given_set
    table, wide = table_of(held), widened(held)
    for address in addresses:
        assert table.holds(address) is (address in wide)
        assert table.holds(address) or address not in held


@pytest.mark.parametrize("family", Family)
def test_an_empty_set_makes_the_smallest_table(family: Family) -> None:
    table = table_of(PrefixSet(family))
    assert table == Table(family, bytes(BLOCKS_AT))
    assert table.blocks == 0


def test_a_table_of_too_many_networks_grows_coarser_and_misses_nobody() -> None:
    heads = range(0x2000, 0x2400)
    family = Family.IPV6
    scattered = PrefixSet.of(
        family, (Prefix(family, (head << 112) + (7 << 96), 48) for head in heads)
    )
    table = table_of(scattered)
    assert len(table.content) <= 4 << 20
    assert all(table.holds((head << 112) + (7 << 96)) for head in heads)
    assert not table.holds((0x2000 << 112) + (9 << 96))
    assert table.holds((0x23FF << 112) + (9 << 96))
    assert not table.holds(0x2400 << 112)
