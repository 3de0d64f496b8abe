"""Sets of addresses to elements and back, through the kernel and however others write them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.backends.nftables import elements, uapi
from geofence.backends.nftables.backend import NftablesBackend
from geofence.backends.nftables.connection import NftConnection
from geofence.backends.nftables.messages import SetContent, delete_table, new_set, new_table
from geofence.backends.nftables.snapshot import read_snapshot
from geofence.backends.nftables.uapi import ElementAttribute, ElementFlag
from geofence.lab.host import Host
from geofence.model.prefixes import Family, PrefixSet, pack_addresses
from geofence.model.ruleset import Role, SetKey
from geofence.netlink.attributes import LONGEST, attribute, nested, number
from tests.support.values import families, prefix_sets, space

any_set = families.flatmap(prefix_sets)


def element(family: Family, key: int, *more: bytes) -> bytes:
    value = attribute(uapi.DATA_VALUE, key.to_bytes(family.bits // 8, "big"))
    return nested(uapi.LIST_ELEM, nested(ElementAttribute.KEY, value), *more)


def end(family: Family, key: int) -> bytes:
    return element(family, key, number(ElementAttribute.FLAGS, ElementFlag.INTERVAL_END))


@given(any_set)
def test_encoded_elements_are_decoded(content: PrefixSet) -> None:
    assert elements.decode(content.family, elements.encode(content)) == content


@given(any_set, st.randoms(use_true_random=False))
def test_the_order_of_elements_does_not_matter(content: PrefixSet, random: object) -> None:
    family = content.family
    top = 1 << family.bits
    made = [element(family, first) for first in content.bounds[0::2]]
    made += [end(family, past) for past in content.bounds[1::2] if past < top]
    random.shuffle(made)  # type: ignore[attr-defined]  # hypothesis does not type its Random
    assert elements.decode(family, made) == content


def test_a_leading_end_element_of_nft_is_ignored() -> None:
    v4 = Family.IPV4
    made = [end(v4, 0), element(v4, 10 << 24), end(v4, 11 << 24)]
    assert elements.decode(v4, made) == space("10.0.0.0/8").ipv4


def test_intervals_that_touch_are_one() -> None:
    v4 = Family.IPV4
    made = [element(v4, 10 << 24), end(v4, 11 << 24), element(v4, 11 << 24), end(v4, 12 << 24)]
    assert elements.decode(v4, made) == space("10.0.0.0/7").ipv4


def test_a_start_before_the_end_of_another_is_read_as_the_kernel_does() -> None:
    v4 = Family.IPV4
    made = [element(v4, 10 << 24), element(v4, 10 << 24 | 1 << 16), end(v4, 11 << 24)]
    assert elements.decode(v4, made) == space("10.0.0.0/8").ipv4


def test_an_element_for_everything_else_is_everything() -> None:
    catchall = nested(uapi.LIST_ELEM, number(ElementAttribute.FLAGS, ElementFlag.CATCHALL))
    for family in Family:
        full = PrefixSet(family).complement()
        assert elements.decode(family, [element(family, 5), catchall, end(family, 6)]) == full


def test_elements_with_more_than_a_key_are_read() -> None:
    v6 = Family.IPV6
    first = space("2001:db8::/32").ipv6.bounds[0]
    made = [
        element(v6, first, attribute(ElementAttribute.USERDATA, b"\0\x02a\0")),
        end(v6, first + 8),
    ]
    assert elements.decode(v6, made) == PrefixSet.of_ranges(v6, [first], [first + 8])


@given(families, st.lists(st.integers(0, (1 << 32) - 1), unique=True))
def test_keys_are_read_as_written(family: Family, keys: list[int]) -> None:
    packed = elements.packed_keys(family, elements.encode_keys(family, keys))
    assert packed == pack_addresses(family, keys)


def test_every_piece_fits_an_attribute_and_holds_whole_intervals() -> None:
    for family in Family:
        firsts = [number << 8 for number in range(10_000)]
        content = PrefixSet.of_ranges(family, firsts, [first + 100 for first in firsts])
        pieces = elements.encode(content)
        assert len(pieces) > 1
        assert all(len(piece) + 4 <= LONGEST for piece in pieces)
        parts = [elements.decode(family, [piece]) for piece in pieces]
        assert PrefixSet.union(family, parts) == content
        assert sum(len(part.bounds) for part in parts) == len(content.bounds)


def through_the_kernel(content: PrefixSet) -> PrefixSet:
    key = SetKey(Role.ALLOW, "", content.family)
    with NftConnection() as netlink:
        netlink.transact([new_table(), *new_set(key.name, SetContent.of(key, content))])
        try:
            held = read_snapshot(netlink, elements=True)
        finally:
            netlink.transact([delete_table()])
    return elements.decode(content.family, held.elements[key.name])


@pytest.fixture(scope="module")
def shared() -> Iterator[Host]:
    with Host("shared") as made:
        yield made


@settings(max_examples=300, deadline=None)
@given(content=any_set)
def test_elements_survive_the_kernel(shared: Host, content: PrefixSet) -> None:
    with shared.entered():
        assert through_the_kernel(content) == content


def test_the_kernel_holds_the_edges_of_the_address_space(host: Host) -> None:
    del host
    for family in Family:
        top = 1 << family.bits
        for ranges in (
            ([], []),
            ([0], [top]),
            ([0], [1]),
            ([top - 1], [top]),
            ([0, top - 1], [1, top]),
            ([0, 2, 4], [1, 3, 5]),
            ([1], [top]),
        ):
            content = PrefixSet.of_ranges(family, *(list(bounds) for bounds in ranges))
            assert through_the_kernel(content) == content


def test_the_kernel_holds_large_sets(host: Host) -> None:
    del host
    for family in Family:
        step = (1 << family.bits) // 70_000
        firsts = [number * step for number in range(70_000)]
        content = PrefixSet.of_ranges(family, firsts, [first + step // 2 for first in firsts])
        assert through_the_kernel(content) == content


def test_nothing_of_it_needs_a_backend_to_be_there(host: Host) -> None:
    """A set alone, as a killed run leaves it, is no fence but is seen."""
    del host
    key = SetKey(Role.ALLOW, "", Family.IPV4)
    with NftConnection() as netlink:
        netlink.transact(
            [new_table(), *new_set(key.name, SetContent.of(key, space("10.0.0.0/8").ipv4))]
        )
    seen = NftablesBackend().observe()
    assert seen.sets == {key: space("10.0.0.0/8").ipv4}
    assert seen.rules == ()
