from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.model.prefixes import Family
from geofence.wording import address_count, addresses, percent


def networks(length: int, count: float = 1) -> int:
    return int(count * (1 << (128 - length)))


@pytest.mark.parametrize(
    ("family", "count", "in_table", "in_sentence"),
    [
        (Family.IPV4, 0, "0", "0 IPv4 addresses"),
        (Family.IPV4, 1, "1", "1 IPv4 address"),
        (Family.IPV4, 188_807_488, "188,807,488", "188,807,488 IPv4 addresses"),
        (Family.IPV6, 0, "0", "0 IPv6 addresses"),
        (Family.IPV6, 1, "1", "1 IPv6 address"),
        (Family.IPV6, 1 << 15, "32,768", "32,768 IPv6 addresses"),
        (Family.IPV6, networks(64), "1 /64", "1 IPv6 /64 network"),
        (Family.IPV6, networks(56), "256 /64", "256 IPv6 /64 networks"),
        (Family.IPV6, networks(48), "1 /48", "1 IPv6 /48 network"),
        (Family.IPV6, networks(48, 2.5), "2.5 /48", "2.5 IPv6 /48 networks"),
        (Family.IPV6, networks(34), "16,384 /48", "16,384 IPv6 /48 networks"),
        (Family.IPV6, networks(32), "1 /32", "1 IPv6 /32 network"),
        (Family.IPV6, networks(32, 10_240), "10,240 /32", "10,240 IPv6 /32 networks"),
        (Family.IPV6, networks(16, 2.19), "2.2 /16", "2.2 IPv6 /16 networks"),
        (Family.IPV6, networks(7), "512 /16", "512 IPv6 /16 networks"),
        (Family.IPV6, 1 << 128, "65,536 /16", "65,536 IPv6 /16 networks"),
    ],
)
def test_counts_that_people_can_picture(
    family: Family, count: int, in_table: str, in_sentence: str
) -> None:
    assert (addresses(family, count), address_count(family, count)) == (in_table, in_sentence)


def test_unique_local_addresses_get_a_short_count() -> None:
    assert addresses(Family.IPV6, 2_473_901_162_496 << 80) == "576 /16"


@given(st.integers(0, 1 << 128))
def test_a_count_is_short_and_about_right(count: int) -> None:
    number, _, length = addresses(Family.IPV6, count).partition(" /")
    assert len(number) <= len("65,536")
    if length and not number.startswith("<"):
        shown = float(number.replace(",", "")) * networks(int(length))
        assert shown == pytest.approx(count, abs=0.06 * networks(int(length)), rel=0.006)


@pytest.mark.parametrize(
    ("share", "text"), [(39.0, "39 %"), (5.04, "5.04 %"), (2175.4, "2,175 %"), (0.25, "0.25 %")]
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text
