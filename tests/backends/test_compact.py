from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from geofence.backends.compact import by_few_lengths, fewest_lengths, lengthened
from geofence.model.prefixes import Family, Prefix, PrefixSet
from tests.support.values import families, prefix_sets, space


def grouped(content: PrefixSet) -> dict[int, list[int]]:
    """The fewest prefixes of a set, by their lengths."""
    found: dict[int, list[int]] = {}
    for network, length in zip(*content.split(shortest=1), strict=True):
        found.setdefault(length, []).append(network)
    return found


def entries(counts: dict[int, int], kept: tuple[int, ...]) -> int:
    """How many entries it takes to write each prefix at the next length that is kept."""
    return sum(
        count << (min(each for each in kept if each >= length) - length)
        for length, count in counts.items()
    )


@given(families.flatmap(prefix_sets), st.integers(0, 1000))
def test_the_addresses_are_the_same_in_no_more_lengths(content: PrefixSet, most: int) -> None:
    fewest = grouped(content)
    found = lengthened(content.family, fewest, most)
    written = [Prefix(content.family, at, length) for length in found for at in found[length]]
    assert PrefixSet.of(content.family, written) == content
    assert sum(prefix.past - prefix.network for prefix in written) == content.size
    assert all(networks == sorted(networks) for networks in found.values())
    assert set(found) <= set(fewest)
    assert len(written) <= max(most, sum(map(len, fewest.values())))


@given(
    counts=st.dictionaries(st.integers(20, 32), st.integers(1, 50), min_size=1, max_size=6),
    growth=st.floats(0.5, 20),
)
def test_the_choice_of_lengths_is_optimal(counts: dict[int, int], growth: float) -> None:
    most = int(sum(counts.values()) * growth)
    kept = fewest_lengths(Family.IPV4, counts, most)
    # Every choice that could be made; the longest length can never be left out.
    choices = [
        (*others, max(counts))
        for number in range(len(counts))
        for others in combinations(sorted(set(counts) - {max(counts)}), number)
    ]
    possible = [c for c in choices if entries(counts, c) <= most]
    if possible:
        best = min((len(choice), entries(counts, choice)) for choice in possible)
        assert (len(kept), entries(counts, kept)) == best
    else:
        assert kept == tuple(sorted(counts))


def scattered(broad: int, narrow: int) -> PrefixSet:
    """Prefixes of ten lengths, no two of which touch, some of them broad."""
    lengths = [*[15 + at % 5 for at in range(broad)], *[20 + at % 5 for at in range(narrow)]]
    prefixes = (Prefix(Family.IPV4, at << 18, length) for at, length in enumerate(lengths))
    return PrefixSet.of(Family.IPV4, prefixes)


def test_a_country_needs_a_fraction_of_its_lengths() -> None:
    country = scattered(100, 400)
    fewest, before = country.split()
    found = by_few_lengths(country)
    assert len(found) < len(set(before)) / 2
    assert len(fewest) < sum(map(len, found.values())) <= 2 * len(fewest)


def test_a_readable_set_keeps_its_prefixes() -> None:
    local = space("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "203.0.113.9/32").ipv4
    assert by_few_lengths(local) == grouped(local)


def test_a_set_of_most_addresses_keeps_its_prefixes() -> None:
    most = scattered(100, 400) | space("128.0.0.0/1").ipv4
    assert by_few_lengths(most) == grouped(most)


def test_all_addresses_are_two_halves() -> None:
    for family in Family:
        everything = PrefixSet(family).complement()
        assert by_few_lengths(everything) == {1: [0, 1 << (family.bits - 1)]}


def test_an_empty_set_has_no_entries() -> None:
    assert by_few_lengths(PrefixSet(Family.IPV4)) == {}
