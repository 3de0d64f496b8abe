from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from geofence.backends.compact import fewest_lengths, in_few_lengths, lengthened
from geofence.model.prefixes import Family, Prefix, PrefixSet
from tests.support.values import families, prefix_sets, space


def entries(counts: dict[int, int], kept: tuple[int, ...]) -> int:
    """How many entries it takes to write each prefix at the next length that is kept."""
    return sum(
        count << (min(each for each in kept if each >= length) - length)
        for length, count in counts.items()
    )


@given(families.flatmap(prefix_sets), st.integers(0, 1000))
def test_the_addresses_are_the_same_in_no_more_lengths(content: PrefixSet, most: int) -> None:
    fewest, before = content.split(shortest=1)
    networks, lengths = lengthened(content.family, fewest, before, most)
    written = [Prefix(content.family, *pair) for pair in zip(networks, lengths, strict=True)]
    assert PrefixSet.of(content.family, written) == content
    assert sum(prefix.past - prefix.network for prefix in written) == content.size
    assert networks == sorted(networks)
    assert set(lengths) <= set(before)
    assert len(networks) <= max(most, len(fewest))


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
    networks, lengths = in_few_lengths(country)
    assert len(set(lengths)) < len(set(before)) / 2
    assert len(fewest) < len(networks) <= 2 * len(fewest)


def test_a_readable_set_keeps_its_prefixes() -> None:
    local = space("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "203.0.113.9/32").ipv4
    assert in_few_lengths(local) == local.split()


def test_a_set_of_most_addresses_keeps_its_prefixes() -> None:
    most = scattered(100, 400) | space("128.0.0.0/1").ipv4
    assert in_few_lengths(most) == most.split()


def test_all_addresses_are_two_halves() -> None:
    for family in Family:
        everything = PrefixSet(family).complement()
        assert in_few_lengths(everything) == ([0, 1 << (family.bits - 1)], [1, 1])


def test_an_empty_set_has_no_entries() -> None:
    assert in_few_lengths(PrefixSet(Family.IPV4)) == ([], [])
