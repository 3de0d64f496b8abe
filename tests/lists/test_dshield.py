"""Ranges in columns, as DShield publishes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ListError
from geofence.lists.dshield import parse_dshield
from geofence.lists.formats import parse_part
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family, Prefix, address_text
from tests.lists.bodies import dshield, prefixes
from tests.support.values import space

DSHIELD = ListId(ListKind.BLOCKLIST, "dshield")


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_a_list_is_found_by_its_content(line_end: str, bom: bytes) -> None:
    body = bom + dshield("192.0.2.0/24", "198.51.100.0/23").replace(b"\n", line_end.encode())
    parsed = parse_part(DSHIELD, None, body)
    assert parsed.space == space("192.0.2.0/24", "198.51.100.0/23")
    assert parsed.ipv4.entries == 2
    assert not parsed.skipped


@given(st.lists(prefixes(Family.IPV4), max_size=20))
def test_any_prefixes_come_back(written: list[Prefix]) -> None:
    parsed = parse_dshield(dshield(*map(str, written)))
    assert parsed.space == AddressSpace.of(written)
    assert parsed.ipv4.entries == len(written)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("192.0.2.0\t192.0.2.255", "three columns"),
        ("192.0.2.0\t192.0.2.255\t25\t1", "not as large as a /25"),
        ("192.0.2.255\t192.0.2.0\t24\t1", "ends before it begins"),
        ("192.0.2.0\t192.0.2.256\t24\t1", "is not an IPv4 prefix"),
        ("192.0.2.0\t192.0.2.255\tmask\t1", "has no prefix length"),
        ("192.0.2.0\t192.0.2.255\t33\t1", "has no prefix length"),
        ("192.0.2.0\t192.0.2.255\t" + "9" * 5000, "has no prefix length"),
        ("192.0.2.0\t192.0.2.255\t-1", "has no prefix length"),
    ],
)
def test_a_wrong_row_is_skipped_and_told(row: str, why: str) -> None:
    good = [f"198.51.{number}.0/24" for number in range(20)]
    body = dshield(*good) + f"{row}\n".encode()
    [skipped] = parse_dshield(body).skipped
    assert why in skipped.problem
    assert skipped.number == body.count(b"\n")


def test_a_list_that_ends_within_a_row_was_cut_short() -> None:
    body = dshield("192.0.2.0/24", "198.51.100.0/24") + b"203.0.113.0\t203.0.1"
    with pytest.raises(ListError, match="cut short: line"):
        parse_dshield(body)


@pytest.mark.parametrize("body", [b"", b"Not found\n", b"<html>", b"{}", b"a\tb\tc\n"])
def test_what_is_no_such_list_is_refused(body: bytes) -> None:
    with pytest.raises(ListError):
        parse_dshield(body)


def test_titles_alone_are_a_list_without_entries() -> None:
    assert parse_dshield(dshield()).space == AddressSpace()


def test_a_range_of_ipv6_is_taken_too() -> None:
    low, high = (address_text(Family.IPV6, (0x20010DB8 << 96) + n) for n in (0, (1 << 96) - 1))
    assert parse_dshield(f"{low}\t{high}\t32\n".encode()).space == space("2001:db8::/32")


@given(st.binary() | st.text(alphabet="0129.:\t#\r\n fStarEnd").map(str.encode))
def test_any_bytes_give_a_list_or_a_list_error(body: bytes) -> None:
    try:
        parsed = parse_dshield(body)
    except ListError:
        return
    assert parsed.space or b"#" in body or b";" in body or b"tart" in body.lower()
