from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.model.address import Address
from geofence.model.prefixes import Family
from tests.support.values import families, full_width, space

addresses = families.flatmap(
    lambda family: st.builds(Address, st.just(family), st.integers(0, (1 << family.bits) - 1))
)


@given(addresses)
def test_text_and_address_correspond(address: Address) -> None:
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    ("text", "family", "number"),
    [
        ("192.0.2.1", Family.IPV4, 0xC0000201),
        ("2001:db8::1", Family.IPV6, (0x20010DB8 << 96) + 1),
        ("2001:0DB8:0::1", Family.IPV6, (0x20010DB8 << 96) + 1),
        ("::ffff:192.0.2.1", Family.IPV6, (0xFFFF << 32) + 0xC0000201),
    ],
)
def test_an_address_is_read(text: str, family: Family, number: int) -> None:
    assert Address.parse(text) == Address(family, number)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "192.0.2",
        "192.0.2.01",
        "192.0.2.1/32",
        " 192.0.2.1",
        "fe80::1%eth0",
        "1\0",
        full_width("1.1.1.1"),
    ],
)
def test_invalid_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not an address: "):
        Address.parse(text)


def test_membership_minds_the_family() -> None:
    inside, outside = Address.parse("192.0.2.1"), Address.parse("198.51.100.1")
    same_number = Address(Family.IPV6, inside.number)
    held = space("192.0.2.0/24", "2001:db8::/32")
    assert inside.is_in(held)
    assert inside.is_in(held.ipv4)
    assert not outside.is_in(held)
    assert not same_number.is_in(held)
    assert not same_number.is_in(held.ipv4)
    assert Address.parse("2001:db8::1").is_in(held)


def test_addresses_sort_by_family_and_number() -> None:
    texts = ["2001:db8::1", "192.0.2.9", "::1", "192.0.2.1"]
    assert [str(each) for each in sorted(map(Address.parse, texts))] == [
        "192.0.2.1",
        "192.0.2.9",
        "::1",
        "2001:db8::1",
    ]
