from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from geofence.guards.overlaps import overlaps
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family, PrefixSet

NAMES = [ListId(ListKind.COUNTRY, code) for code in ("DE", "FR", "JP", "US")]
RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), max_size=6)


def ranges(family: Family, pairs: list[tuple[int, int]]) -> PrefixSet:
    firsts = [first for first, _ in pairs]
    return PrefixSet.of_ranges(family, firsts, [first + size for first, size in pairs])


def members(addresses: PrefixSet) -> set[int]:
    return {one for first, past in addresses.intervals() for one in range(first, past)}


SPACES = st.builds(
    lambda ipv4, ipv6: AddressSpace(ranges(Family.IPV4, ipv4), ranges(Family.IPV6, ipv6)),
    RANGES,
    RANGES,
)


@given(st.dictionaries(st.sampled_from(NAMES), SPACES))
def test_each_overlap_names_exactly_its_lists(
    lists: dict[ListId, AddressSpace],
) -> None:
    found = overlaps(lists)
    for family in Family:
        reported = {(one.lists, address) for one in found for address in members(one.space[family])}
        expected = set()
        for address in range(80):
            claimants = tuple(sorted(n for n, space in lists.items() if address in space[family]))
            if len(claimants) > 1:
                expected.add((claimants, address))
        assert reported == expected
    assert [one.lists for one in found] == sorted({one.lists for one in found})


@given(st.dictionaries(st.sampled_from(NAMES), SPACES))
def test_disjoint_lists_give_no_note(lists: dict[ListId, AddressSpace]) -> None:
    apart = all(
        not (one[family] & other[family])
        for one, other in combinations(lists.values(), 2)
        for family in Family
    )
    assert (overlaps(lists) == ()) == apart


def test_a_note_names_the_countries_and_the_addresses() -> None:
    shared = AddressSpace(PrefixSet(Family.IPV4, (20 << 24, (20 << 24) + 512)))
    (note,) = overlaps(dict.fromkeys(NAMES[:2], shared))
    expected = "The lists country DE, country FR overlap: 512 IPv4 addresses (20.0.0.0/23)"
    assert str(note) == expected


def test_blocklists_and_host_names_may_overlap_with_anything() -> None:
    shared = AddressSpace(PrefixSet(Family.IPV4, (20 << 24, 21 << 24)))
    others = (ListId(ListKind.BLOCKLIST, "drop"), ListId(ListKind.HOST, "push.example.net"))
    assert overlaps(dict.fromkeys((NAMES[0], *others), shared)) == ()
