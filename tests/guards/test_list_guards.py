from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.geoip.countries import known_size
from geofence.geoip.special_prefixes import (
    public_addresses,
    special_blocks,
    special_in,
    special_space,
)
from geofence.guards.limits import ALWAYS_FEW, BROADEST, size_class
from geofence.guards.lists import check_list
from geofence.guards.objection import Yields
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet

JP = ListId(ListKind.COUNTRY, "JP")
US = ListId(ListKind.COUNTRY, "US")
VA = ListId(ListKind.COUNTRY, "VA")
DROP = ListId(ListKind.BLOCKLIST, "drop")
HOST = ListId(ListKind.HOST, "push.example.net")
POLICY = Policy()
STARTS = {Family.IPV4: 20 << 24, Family.IPV6: 0x2400 << 112}
SIZES = {
    Family.IPV4: (512, 50_000, 500_000, 5_000_000, 20_000_000),
    Family.IPV6: (1 << 80, 1 << 99, 1 << 103, 1 << 108),
}
EVERY_SIZE = [(family, size) for family in Family for size in SIZES[family]]


def block(family: Family, size: int, *, skip: int = 0) -> AddressSpace:
    """Public addresses, ``size`` of them, from the ``skip``-th on."""
    first = STARTS[family] + skip
    one = PrefixSet(family, (first, first + size)) if size else PrefixSet(family)
    return AddressSpace(one) if family is Family.IPV4 else AddressSpace(ipv6=one)


def space(*prefixes: str) -> AddressSpace:
    networks = [ip_network(text) for text in prefixes]
    families = {4: Family.IPV4, 6: Family.IPV6}
    return AddressSpace.of(
        Prefix(families[one.version], int(one.network_address), one.prefixlen) for one in networks
    )


def tokens(
    wanted: ListId,
    candidate: AddressSpace,
    previous: AddressSpace | None,
    policy: Policy = POLICY,
) -> list[str]:
    return [one.accept for one in check_list(wanted, candidate, previous, policy)]


def country_of_known_size(code: str, share: float = 1) -> AddressSpace:
    """A made-up list as large as the country's, scattered so that no prefix is broad."""
    parts: list[AddressSpace] = []
    for family in Family:
        size = int((known_size(code, family) or 0) * share)
        step = 1 << (family.bits - BROADEST[family] - 1)
        firsts = range(STARTS[family], STARTS[family] + 2 * size, 2 * step)
        pasts = [first + min(step, size - at * step) for at, first in enumerate(firsts)]
        one = PrefixSet.of_ranges(family, list(firsts), pasts)
        parts.append(AddressSpace(one) if family is Family.IPV4 else AddressSpace(ipv6=one))
    return AddressSpace.union(parts)


@pytest.mark.parametrize(("family", "size"), EVERY_SIZE)
def test_a_list_cut_to_61_percent_is_refused_at_any_size(family: Family, size: int) -> None:
    assert tokens(JP, block(family, size * 61 // 100), block(family, size)) == ["shrink=JP"]


@pytest.mark.parametrize(("family", "size"), EVERY_SIZE)
def test_a_loss_passes_up_to_the_limit_of_its_size(family: Family, size: int) -> None:
    limit = int(size_class(family, size).most_lost)
    gone = size * limit // 100
    assert tokens(JP, block(family, size - gone), block(family, size)) == []
    one_percent = size // 100
    assert tokens(JP, block(family, size - gone - one_percent), block(family, size)) == [
        "shrink=JP"
    ]


def test_larger_lists_get_less_room() -> None:
    for family in Family:
        limits = [size_class(family, size).most_lost for size in SIZES[family]]
        assert limits == sorted(limits, reverse=True)
        assert limits[0] > limits[-1]


@given(
    st.integers(0, 1 << 22),
    st.integers(1, 1 << 22),
    st.integers(0, 1 << 22),
    st.sampled_from(Family),
)
def test_a_shrink_is_measured_by_lost_addresses(
    size: int, before: int, skip: int, family: Family
) -> None:
    previous, candidate = block(family, before), block(family, size, skip=skip)
    kept = max(0, min(before, skip + size) - skip)
    lost = 100 * (before - kept) / before
    refused = "shrink=JP" in tokens(JP, candidate, previous)
    assert refused == (lost > size_class(family, before).most_lost)


@given(st.integers(1, 1 << 24), st.sampled_from(Family))
def test_a_list_that_only_grows_never_counts_as_shrunk(size: int, family: Family) -> None:
    previous = block(family, size)
    assert "shrink=JP" not in tokens(JP, previous | block(family, 2 * size), previous)


def test_another_countrys_addresses_of_the_same_number_are_refused() -> None:
    size = 5_000_000
    said = tokens(JP, block(Family.IPV4, size, skip=2 * size), block(Family.IPV4, size))
    assert said == ["shrink=JP", "growth=JP"]


def test_a_list_that_lost_one_family_is_refused() -> None:
    both = space("20.0.0.0/10", "2400::/22")
    assert tokens(JP, AddressSpace(both.ipv4), both) == ["shrink=JP"]
    assert tokens(JP, AddressSpace(ipv6=both.ipv6), both) == ["shrink=JP"]


@pytest.mark.parametrize("key", ["country JP", "country"])
def test_the_limit_of_the_rules_goes_before_the_built_in_one(key: str) -> None:
    previous = block(Family.IPV4, 1_000_000)
    tight, loose = Policy(shrink_limits={key: 1.0}), Policy(shrink_limits={key: 60.0})
    assert tokens(JP, block(Family.IPV4, 980_000), previous) == []
    assert tokens(JP, block(Family.IPV4, 980_000), previous, tight) == ["shrink=JP"]
    assert tokens(JP, block(Family.IPV4, 500_000), previous) == ["shrink=JP"]
    assert tokens(JP, block(Family.IPV4, 500_000), previous, loose) == []


def test_a_refusal_names_the_loss_and_its_limit() -> None:
    previous, cut = block(Family.IPV4, 2_000_000), block(Family.IPV4, 1_220_000)
    (ours,) = check_list(JP, cut, previous, POLICY)
    assert str(ours).startswith("The list country JP lost 39 % of its 2,000,000 IPv4 addresses")
    assert "It may lose 5 %" in str(ours)
    assert str(ours).endswith("'--accept shrink=JP'.")
    (theirs,) = check_list(JP, cut, previous, Policy(shrink_limits={"country": 7.5}))
    assert "It may lose 7.5 % (by [guard.shrink] in the rules)" in str(theirs)


@pytest.mark.parametrize(
    ("size", "gained", "unusual"),
    [
        (20_000_000, 4, False),
        (20_000_000, 6, True),
        (2_000_000, 19, False),
        (2_000_000, 21, True),
        (200_000, 59, False),
        (200_000, 61, True),
        (20_000, 290, False),
        (20_000, 310, True),
        (2_000, 900, False),
    ],
)
def test_an_unusual_gain_for_the_size_needs_a_witness(
    size: int, gained: int, *, unusual: bool
) -> None:
    grown = block(Family.IPV4, size + size * gained // 100)
    said = check_list(JP, grown, block(Family.IPV4, size), POLICY)
    assert [one.accept for one in said] == (["growth=JP"] if unusual else [])
    assert all(one.yields is Yields.TO_WITNESS for one in said)


@pytest.mark.parametrize(
    ("bits", "times", "unusual"), [(104, 2, False), (104, 3, True), (102, 4, False), (102, 5, True)]
)
def test_ipv6_lists_have_limits_of_growth_by_their_size_too(
    bits: int, times: int, *, unusual: bool
) -> None:
    grown = block(Family.IPV6, times << bits)
    said = tokens(JP, grown, block(Family.IPV6, 1 << bits))
    assert said == (["growth=JP"] if unusual else [])


@pytest.mark.parametrize(("month_ago", "unusual"), [(1_600_000, False), (1_400_000, True)])
def test_many_small_gains_are_held_against_a_month_ago(month_ago: int, *, unusual: bool) -> None:
    now, before = block(Family.IPV4, 2_000_000), block(Family.IPV4, 1_900_000)
    said = check_list(JP, now, before, POLICY, month_ago={Family.IPV4: month_ago})
    assert [one.accept for one in said] == (["growth=JP"] if unusual else [])


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("code", "family", "times"),
    [
        ("AD", Family.IPV4, None),
        ("BV", Family.IPV6, None),
        ("JP", Family.IPV6, 10),
        ("JP", Family.IPV4, 2),
    ],
)
def test_no_list_is_many_times_its_country(
    code: str, family: Family, times: int | None, *, first: bool
) -> None:
    wanted = ListId(ListKind.COUNTRY, code)
    known = known_size(code, family) or 0
    most = times * known if times else max(100 * known, ALWAYS_FEW[family])
    for size, refused in ((most, False), (most + 1, True)):
        said = check_list(wanted, block(family, size), None if first else block(family, 9), POLICY)
        vast = [one.accept for one in said if "at any time" in one.allows]
        assert vast == ([f"first-run={code}" if first else f"growth={code}"] if refused else [])
        assert all(
            one.yields is Yields.NEVER
            for one in said
            if one.accept in vast and refused and "at any time" in one.allows
        )


def stretches(count: int, first: int = 20 << 24) -> list[tuple[int, int]]:
    """So many separate blocks of addresses."""
    return [(first + 512 * number, first + 512 * number + 256) for number in range(count)]


def made_of(blocks: list[tuple[int, int]]) -> AddressSpace:
    firsts, pasts = [first for first, _ in blocks], [past for _, past in blocks]
    return AddressSpace(PrefixSet.of_ranges(Family.IPV4, firsts, pasts))


@pytest.mark.parametrize(
    ("count", "kept", "refused"),
    [
        (200, slice(0, 196), False),
        (200, slice(0, 195), True),
        (200, slice(4, None), False),
        (200, slice(5, None), True),
        (19, slice(0, 13), False),
    ],
)
def test_a_list_that_lost_an_end_is_refused(count: int, kept: slice, *, refused: bool) -> None:
    blocks = stretches(count)
    said = check_list(JP, made_of(blocks[kept]), made_of(blocks), POLICY)
    assert ("ends=JP" in [one.accept for one in said]) is refused


def test_blocks_lost_in_the_middle_are_not_an_end() -> None:
    blocks = stretches(200)
    assert tokens(JP, made_of(blocks[:90] + blocks[100:]), made_of(blocks)) == []


@pytest.mark.parametrize("code", ["JP", "BR", "AD", "NF", "KP", "ZW"])
def test_a_first_list_of_the_countrys_size_passes(code: str) -> None:
    wanted = ListId(ListKind.COUNTRY, code)
    assert tokens(wanted, country_of_known_size(code), None) == []


@pytest.mark.parametrize("code", ["JP", "US", "AD", "NF"])
def test_a_first_list_a_fifth_of_the_countrys_size_is_refused(code: str) -> None:
    wanted = ListId(ListKind.COUNTRY, code)
    said = set(tokens(wanted, country_of_known_size(code, 0.2), None))
    assert said == {f"first-run={code}"}


def test_a_large_countrys_first_list_cut_to_61_percent_is_refused() -> None:
    whole = country_of_known_size("JP")
    cut = AddressSpace(country_of_known_size("JP", 0.61).ipv4, whole.ipv6)
    (refused,) = check_list(JP, cut, None, POLICY)
    assert refused.accept == "first-run=JP"
    assert "about 190,000,000 IPv4 addresses (ipverse country-ip-blocks, 2026-02-01)" in str(
        refused
    )
    assert "at least 70 % of that" in str(refused)


def test_a_first_list_without_a_family_that_the_country_has_is_refused() -> None:
    whole = country_of_known_size("JP")
    (refused,) = check_list(JP, AddressSpace(whole.ipv4), None, POLICY)
    assert "has 0 IPv6 addresses" in str(refused)


def test_a_first_list_of_a_country_without_ipv6_passes() -> None:
    korea = ListId(ListKind.COUNTRY, "KP")
    assert tokens(korea, AddressSpace(country_of_known_size("KP").ipv4), None) == []


def test_a_first_list_far_larger_than_the_country_is_refused() -> None:
    assert "first-run=JP" in tokens(JP, country_of_known_size("US"), None)


def test_a_code_that_the_table_lacks_has_no_size_to_be_held_against() -> None:
    assert tokens(ListId(ListKind.COUNTRY, "BV"), space("20.0.0.0/24"), None) == []


@pytest.mark.parametrize(
    ("wanted", "prefix", "refused"),
    [
        (JP, "133.0.0.0/8", False),
        (JP, "132.0.0.0/7", True),
        (JP, "20.0.0.0/6", True),
        (US, "16.0.0.0/6", False),
        (US, "16.0.0.0/5", True),
        (JP, "2400::/16", False),
        (JP, "2400::/15", True),
        (US, "2400::/15", True),
        (DROP, "64.0.0.0/2", True),
        (DROP, "2000::/3", True),
    ],
)
def test_a_prefix_broader_than_registries_delegate_is_refused(
    wanted: ListId, prefix: str, *, refused: bool
) -> None:
    listed = space(prefix)
    assert (f"broad={wanted.name}" in tokens(wanted, listed, listed)) is refused


def test_neighbours_that_the_list_writes_apart_are_not_one_broad_prefix() -> None:
    listed = space("20.0.0.0/8", "21.0.0.0/8")
    assert tokens(JP, listed, listed) == ["broad=JP"]
    facts = {Family.IPV4: 8}
    assert check_list(JP, listed, listed, POLICY, broadest=facts) == ()


@pytest.mark.parametrize("block_", special_blocks(), ids=str)
def test_no_special_purpose_block_passes_in_a_countrys_list(block_: object) -> None:
    text = str(block_)
    prefix, name = text.split(" ", 1)
    listed = space(prefix)
    said = check_list(JP, listed, listed, POLICY)
    assert "special-purpose=JP" in [one.accept for one in said]
    assert any(name.strip("()") in one.saw for one in said) or "and" in said[-1].saw


def test_ten_slash_eight_in_a_country_is_refused_by_name_beside_good_prefixes() -> None:
    good = space("20.0.0.0/8", "22.0.0.0/8", "24.0.0.0/8", "133.0.0.0/8")
    said = check_list(JP, good | space("10.0.0.0/8"), good, POLICY)
    (refused,) = (one for one in said if one.accept == "special-purpose=JP")
    assert "10.0.0.0/8 (private use)" in str(refused)


@given(st.integers(0, (1 << 32) - 1), st.integers(1, 32))
def test_special_purpose_space_is_found_exactly_where_it_is(address: int, length: int) -> None:
    network = address >> (32 - length) << (32 - length)
    prefix = Prefix(Family.IPV4, network, length)
    listed = AddressSpace.of([prefix, Prefix(Family.IPV4, 20 << 24, 24)])
    assert bool(special_in(listed)) == bool(listed.ipv4 & special_space().ipv4)


def test_globally_reachable_blocks_of_the_registry_are_not_special_here() -> None:
    assert special_in(space("2001:4:112::/48", "192.31.196.0/24", "2620:4f:8000::/48")) == ()


def test_a_blocklist_may_hold_bogons() -> None:
    bogons = space("10.0.0.0/8", "224.0.0.0/3", "8000::/1", "45.0.0.0/20")
    facts = {Family.IPV4: 3, Family.IPV6: 1}
    assert check_list(DROP, bogons, bogons, POLICY, broadest=facts) == ()


def test_a_blocklist_may_lose_half_but_not_more() -> None:
    before = block(Family.IPV4, 10_000)
    assert tokens(DROP, block(Family.IPV4, 5_000), before) == []
    assert tokens(DROP, block(Family.IPV4, 4_999), before) == ["shrink=drop"]
    assert tokens(DROP, block(Family.IPV4, 100), None) == []


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("family", Family)
def test_a_blocklist_may_not_take_whole_countries_away_at_once(
    family: Family, *, first: bool
) -> None:
    before = block(family, 10_000)
    hundredth = public_addresses(family) // 100
    held = 0 if first else 10_000
    for size, refused in ((held + hundredth, False), (held + hundredth * 101 // 100, True)):
        said = tokens(DROP, block(family, size), None if first else before)
        taken = [token for token in said if not token.startswith("broad")]
        assert taken == ([f"{'first-run' if first else 'growth'}=drop"] if refused else [])


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("family", Family)
def test_a_blocklist_may_not_take_an_allowed_country_away_at_once(
    family: Family, *, first: bool
) -> None:
    countries = {JP: block(family, 10_000), VA: block(family, 1_000)}
    held = 0 if first else 500
    previous = None if first else block(family, held)
    for gained, refused in ((350, False), (351, True)):
        candidate = block(family, held + gained)
        said = check_list(DROP, candidate, previous, POLICY, allowed=countries)
        taken = [one.accept for one in said]
        assert taken == ([f"{'first-run' if first else 'growth'}=drop"] if refused else [])


def test_the_country_that_loses_most_is_named_and_the_others_are_counted() -> None:
    countries = {
        JP: space("20.0.0.0/24"),
        VA: space("20.0.1.0/25", "20.1.0.0/27"),
        US: space("20.2.0.0/16"),
    }
    [said] = check_list(DROP, space("20.0.0.0/23"), None, POLICY, allowed=countries)
    assert said.saw == (
        "The list blocklist drop would block 100 % of the 256 IPv4 addresses of country JP, "
        "and too much of 1 other country, at once."
    )


def test_a_blocklist_may_take_a_24_of_the_smallest_country() -> None:
    country = {VA: block(Family.IPV4, known_size("NF", Family.IPV4) or 0)}
    assert check_list(DROP, block(Family.IPV4, 256), None, POLICY, allowed=country) == ()


def test_addresses_of_host_names_are_not_checked() -> None:
    assert tokens(HOST, space("10.0.0.5/32"), space("20.0.0.0/8")) == []
