from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.backends.ipset.entries import pack_entries, unpack_entries
from geofence.model.prefixes import Family, PrefixSet
from tests.support.values import families, prefix_sets, space


@given(families.flatmap(prefix_sets))
def test_packed_entries_are_unpacked(content: PrefixSet) -> None:
    packed = pack_entries(content.family, *content.split(shortest=1))
    parts = [unpack_entries(content.family, part) for part in packed]
    assert PrefixSet.union(content.family, parts) == content


def test_an_entry_is_laid_out_as_the_kernel_wants_it() -> None:
    (packed,) = pack_entries(Family.IPV4, [0xC0000200], [24])
    assert packed == bytes.fromhex(
        "1800 0780  0c00 0180  0800 0140  c0000200  0500 0300  18000000".replace(" ", "")
    )


def test_a_message_stays_below_the_limit_of_an_attribute() -> None:
    count = 6000
    for family in Family:
        parts = pack_entries(family, list(range(count)), [family.bits] * count)
        assert all(len(part) < 1 << 16 for part in parts)
        assert sum(unpack_entries(family, part).size for part in parts) == count


def test_an_entry_that_excludes_is_taken_away() -> None:
    (whole,) = pack_entries(Family.IPV4, [0xC0000200], [24])
    (half,) = pack_entries(Family.IPV4, [0xC0000200], [25])
    excluding = bytearray(half) + struct.pack("=HH", 8, 8) + struct.pack(">I", 1 << 2)
    struct.pack_into("=H", excluding, 0, len(excluding))
    found = unpack_entries(Family.IPV4, whole + bytes(excluding))
    assert found == space("192.0.2.128/25").ipv4


@given(st.binary(max_size=200))
def test_anything_else_is_refused(packed: bytes) -> None:
    try:
        found = unpack_entries(Family.IPV4, packed)
    except ValueError:
        return
    assert found.family is Family.IPV4


def test_an_entry_without_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="without address"):
        unpack_entries(Family.IPV4, struct.pack("=HH", 4, 7 | 1 << 15))


def test_an_entry_without_a_length_is_refused() -> None:
    (whole,) = pack_entries(Family.IPV4, [0xC0000200], [24])
    bare = whole[:16] + struct.pack("=HH", 4, 3)
    with pytest.raises(ValueError, match="without address or prefix length"):
        unpack_entries(Family.IPV4, struct.pack("=H", len(bare)) + bare[2:])


def test_entries_cut_short_are_refused() -> None:
    (whole,) = pack_entries(Family.IPV4, [0xC0000200, 0xC0000300], [24, 24])
    with pytest.raises(ValueError, match="cut short"):
        unpack_entries(Family.IPV4, whole[:-4])
