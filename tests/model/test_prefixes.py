from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPNetwork, IPSet

from geofence.model.prefixes import (
    AddressSpace,
    Family,
    Prefix,
    PrefixSet,
    address_text,
    pack_addresses,
    pack_networks,
    unpack_addresses,
    unpack_ranges,
)
from tests.support.values import families, prefix, prefix_sets, prefixes, space

pairs = families.flatmap(lambda family: st.tuples(prefix_sets(family), prefix_sets(family)))
some_sets = families.flatmap(prefix_sets)


def edges(*sets: PrefixSet) -> list[int]:
    """The addresses at which membership in any of the sets can change, and their neighbours."""
    top = (1 << sets[0].family.bits) - 1
    near = {bound + step for each in sets for bound in each.bounds for step in (-1, 0, 1)}
    return [address for address in near | {0, top} if 0 <= address <= top]


@given(families, st.data())
def test_addresses_are_packed_in_network_order(family: Family, data: st.DataObject) -> None:
    octets = family.bits // 8
    some = data.draw(st.lists(st.integers(0, (1 << family.bits) - 1)))
    packed = pack_addresses(family, some)
    assert packed == b"".join(address.to_bytes(octets, "big") for address in some)
    assert unpack_addresses(family, packed) == some


@given(families, st.integers(1, 128), st.data())
def test_networks_are_packed_as_addresses_are(
    family: Family, longest: int, data: st.DataObject
) -> None:
    longest = min(longest, family.bits)
    numbers = data.draw(st.lists(st.integers(0, (1 << longest) - 1)))
    networks = [number << (family.bits - longest) for number in numbers]
    assert pack_networks(family, networks, longest) == pack_addresses(family, networks)


@given(some_sets)
def test_ranges_are_unpacked_as_they_are_stored(content: PrefixSet) -> None:
    ends = [end for first, past in content.intervals() for end in (first, past - 1)]
    packed = pack_addresses(content.family, ends)
    ranges = unpack_ranges(content.family, packed)
    assert ranges == (list(content.bounds[0::2]), list(content.bounds[1::2]))


@given(st.lists(st.integers(0, (1 << 64) - 1), unique=True))
def test_ranges_of_ipv6_up_to_64_bits_are_unpacked_as_they_are_stored(ends: list[int]) -> None:
    bounds = [end << 64 for end in sorted(ends)][: len(ends) // 2 * 2]
    packed = pack_addresses(Family.IPV6, [end - at % 2 for at, end in enumerate(bounds)])
    assert unpack_ranges(Family.IPV6, packed) == (bounds[0::2], bounds[1::2])


@given(some_sets, st.sampled_from((0, 1)))
def test_the_number_of_prefixes_is_the_same_once_they_were_split(
    content: PrefixSet, shortest: int
) -> None:
    fresh = PrefixSet(content.family, content.bounds)
    content.split(shortest=shortest)
    assert content.prefix_count == fresh.prefix_count == len(fresh.prefixes())
    assert content == fresh
    assert hash(content) == hash(fresh)
    assert repr(content) == repr(fresh)


def test_the_number_of_prefixes_of_all_addresses_is_one_however_they_were_split() -> None:
    everything = PrefixSet(Family.IPV4).complement()
    assert len(everything.split(shortest=1)[0]) == 2
    assert everything.prefix_count == 1


def test_the_union_of_many_is_that_of_all_at_once() -> None:
    # More intervals than wait to be united, in parts that fill each other's holes.
    whole = range(0, 1 << 18, 2)
    parts = [
        PrefixSet(Family.IPV4, tuple(bound for at in whole[start::7] for bound in (at, at + 1)))
        for start in range(7)
    ]
    filling = PrefixSet(Family.IPV4, tuple(b for at in whole for b in (at + 1, at + 2)))
    union = PrefixSet.union(Family.IPV4, parts)
    assert union.bounds == tuple(bound for at in whole for bound in (at, at + 1))
    assert (union | filling).bounds == (0, 1 << 18)


def is_canonical(content: PrefixSet) -> bool:
    bounds = content.bounds
    rising = all(low < high for low, high in pairwise(bounds))
    return rising and len(bounds) % 2 == 0


@given(pairs)
def test_operations_are_those_of_sets_of_addresses(pair: tuple[PrefixSet, PrefixSet]) -> None:
    one, other = pair
    union, difference, both = one | other, one - other, one & other
    assert all(map(is_canonical, (union, difference, both, one.complement())))
    for address in edges(one, other):
        assert (address in union) == (address in one or address in other)
        assert (address in difference) == (address in one and address not in other)
        assert (address in both) == (address in one and address in other)
        assert (address in one.complement()) == (address not in one)


@given(pairs)
def test_sizes_add_up(pair: tuple[PrefixSet, PrefixSet]) -> None:
    one, other = pair
    assert (one | other).size + (one & other).size == one.size + other.size
    assert one.size + one.complement().size == 1 << one.family.bits


@given(some_sets)
def test_complement_undoes_itself(content: PrefixSet) -> None:
    assert content.complement().complement() == content


@given(families.flatmap(lambda family: st.lists(prefixes(family), max_size=12)))
def test_the_fewest_prefixes_are_those_netaddr_finds(found: list[Prefix]) -> None:
    family = found[0].family if found else Family.IPV4
    ours = [str(prefix) for prefix in PrefixSet.of(family, found).prefixes()]
    theirs = IPSet([IPNetwork(str(prefix)) for prefix in found]).iter_cidrs()
    assert sorted(ours) == sorted(str(IPNetwork(cidr)) for cidr in theirs)


@given(
    st.sets(st.integers(0, 299), min_size=100),
    st.lists(st.tuples(st.integers(0, 600), st.integers(1, 40)), min_size=1, max_size=2),
)
def test_few_intervals_have_in_common_with_many_what_both_hold(
    held: set[int], ranges: list[tuple[int, int]]
) -> None:
    many = PrefixSet.of_ranges(Family.IPV4, [2 * at for at in held], [2 * at + 1 for at in held])
    few = PrefixSet.of_ranges(
        Family.IPV4, [first for first, _ in ranges], [first + size for first, size in ranges]
    )
    both = few & many
    assert both == many & few == PrefixSet.of(Family.IPV4, both.prefixes())
    assert [at for at in range(641) if at in both] == [
        at for at in range(641) if at in few and at in many
    ]


@given(some_sets, st.integers(0, 2))
def test_prefixes_make_up_the_set_again(content: PrefixSet, shortest: int) -> None:
    networks, lengths = content.split(shortest=shortest)
    assert all(length >= shortest for length in lengths)
    again = [
        Prefix(content.family, network, length)
        for network, length in zip(networks, lengths, strict=True)
    ]
    assert PrefixSet.of(content.family, again) == content


@given(some_sets | some_sets.map(PrefixSet.complement))
def test_prefixes_are_counted_without_being_made(content: PrefixSet) -> None:
    assert content.prefix_count == len(content.split()[0])


@given(st.lists(prefixes(Family.IPV4), max_size=10))
def test_union_of_many_is_the_union_of_all(found: list[Prefix]) -> None:
    singles = [PrefixSet.of(Family.IPV4, [each]) for each in found]
    assert PrefixSet.union(Family.IPV4, singles) == PrefixSet.of(Family.IPV4, found)


def test_everything_splits_in_halves_for_sets_that_take_no_zero_length() -> None:
    everything = PrefixSet(Family.IPV4).complement()
    assert everything.split(shortest=1) == ([0, 1 << 31], [1, 1])
    assert everything.split() == ([0], [0])


def test_neighbours_become_one() -> None:
    joined = space("192.0.2.0/25", "192.0.2.128/25").ipv4
    assert [str(each) for each in joined.prefixes()] == ["192.0.2.0/24"]


def test_an_address_space_keeps_families_apart() -> None:
    mixed = space("192.0.2.0/24", "2001:db8::/32")
    assert mixed[Family.IPV4] == mixed.ipv4
    assert mixed - space("2001:db8::/33") == space("192.0.2.0/24", "2001:db8:8000::/33")
    assert not AddressSpace()


def test_text_of_addresses_is_the_usual_one() -> None:
    assert str(prefix("2001:db8::/32")) == "2001:db8::/32"
    assert address_text(Family.IPV4, 1) == "0.0.0.1"


@given(pairs)
def test_sets_meet_where_they_share_an_address(pair: tuple[PrefixSet, PrefixSet]) -> None:
    one, other = pair
    assert one.meets(other) == other.meets(one) == bool(one & other)
    assert one.without(other) == one - other


@given(st.tuples(*[prefix_sets(family) for family in (*Family, *Family)]))
def test_spaces_meet_where_either_family_does(
    sets: tuple[PrefixSet, PrefixSet, PrefixSet, PrefixSet],
) -> None:
    one, other = AddressSpace(*sets[:2]), AddressSpace(*sets[2:])
    assert one.meets(other) == bool(one & other)
    assert one.without(other) == one - other
