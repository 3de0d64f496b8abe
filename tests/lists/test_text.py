from __future__ import annotations

import netaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ListError
from geofence.lists.country_json import parse_country_json
from geofence.lists.entries import bulk_lines, bulk_prefixes, careful_entry
from geofence.lists.parsed import FamilyFacts
from geofence.lists.text import parse_text
from geofence.model.prefixes import AddressSpace, Family, Prefix
from tests.lists.bodies import country_json, country_text, prefixes
from tests.support.values import prefix


def texts(space: AddressSpace) -> list[str]:
    return [str(prefix) for family in Family for prefix in space[family].prefixes()]


def test_a_country_list_with_its_header() -> None:
    body = country_text("JP", Family.IPV4, ["192.0.2.0/24", "198.51.100.0/24"])
    parsed = parse_text(body, Family.IPV4, "JP")
    assert texts(parsed.space) == ["192.0.2.0/24", "198.51.100.0/24"]
    assert parsed.ipv4 == FamilyFacts(2, 24, 512)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"192.0.2.0/24 ; SBL1\n198.51.100.0/24# two\n", ["192.0.2.0/24", "198.51.100.0/24"]),
        (b"; Spamhaus\r\n192.0.2.0/24\r\n\r\n", ["192.0.2.0/24"]),
        (b"\xef\xbb\xbf# with a byte order mark\n192.0.2.0/24", ["192.0.2.0/24"]),
        (b"192.0.2.7\n", ["192.0.2.7/32"]),
        (b"192.0.2.7\n2001:DB8::7\n", ["192.0.2.7/32", "2001:db8::7/128"]),
        (b"192.0.2.4-192.0.2.7", ["192.0.2.4/30"]),
        (b"  192.0.2.4 - 192.0.2.7\t# four", ["192.0.2.4/30"]),
        (b"2001:db8::-2001:db8::ffff", ["2001:db8::/112"]),
        (b"192.0.2.9-192.0.2.9\n192.0.2.8", ["192.0.2.8/31"]),
        (b"\n# caf\xe9\n192.0.2.0/24", ["192.0.2.0/24"]),
        (b"0.0.0.0-255.255.255.255", ["0.0.0.0/0"]),
    ],
)
def test_formats_of_real_publishers_are_read(body: bytes, expected: list[str]) -> None:
    assert texts(parse_text(body).space) == expected


def test_a_range_counts_as_the_broadest_prefix_in_it() -> None:
    assert parse_text(b"192.0.2.1-192.0.3.0").ipv4 == FamilyFacts(1, 24, 256)
    assert parse_text(b"192.0.2.1-192.0.2.254").ipv4 == FamilyFacts(1, 25, 254)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "is empty"),
        (b"# nothing\n\n;\n", "contains no prefix"),
        (b"<html>\n192.0.2.0/24", "an HTML page instead of a list"),
        (b'{"prefixes": []}', "JSON instead of a text list"),
        (b'["192.0.2.0/24"]', "JSON instead of a text list"),
        (b"192.0.2.0/24\n\0\0", "binary data instead of a list"),
        (b"\x1f\x8b\x08", "binary data instead of a list"),
        (b"# one\n192.0.2.0/24\nNot found\n", r'^Line 3: "Not found" is not an IPv4 prefix\.$'),
        (b"# one\n\n192.0.2.1/24 # two\n", r'^Line 3: "192.0.2.1/24" has host bits set'),
        (b"192.0.2.9-192.0.2.1\n", "^Line 1: .* ends before it begins"),
        (
            b"192.0.2.1-2001:db8::1",
            "^Line 1: .* is not an IPv6 prefix|is IPv4, but the list is for IPv6",
        ),
        (b"192.0.2.0/24-192.0.3.0/24", "^Line 1: "),
        (b"192.0.2.0/24 198.51.100.0/24", "^Line 1: "),
        (b"192.0.2.0\n/24", '^Line 2: "/24"'),
        (b"192.0.2.0/24\n24\n", '^Line 2: "24"'),
        (b"192.0.2.0/24/198.51.100.0\n24\n", "^Line 1: "),
        (b"\x1c", r'^Line 1: "\\x1c" is not an IPv4 prefix'),
    ],
)
def test_invalid_bodies_are_refused_with_line_and_reason(body: bytes, why: str) -> None:
    with pytest.raises(ListError, match=why):
        parse_text(body)


def test_only_the_family_that_was_asked_for_is_taken() -> None:
    with pytest.raises(ListError, match=r"Line 2: .* is IPv6, but the list is for IPv4 only"):
        parse_text(b"192.0.2.0/24\n2001:db8::/32", Family.IPV4)
    with pytest.raises(ListError, match=r"Line 1: .* is IPv4, but the list is for IPv6 only"):
        parse_text(b"192.0.2.0/24\n2001:db8::/32", Family.IPV6)


@pytest.mark.parametrize("before", [b"", b"\n", b"192.0.2.0/24\n"])
def test_a_header_of_another_country_is_refused_on_any_line(before: bytes) -> None:
    body = before + country_text("US", Family.IPV4, ["198.51.100.0/24"])
    with pytest.raises(ListError, match="is that of US, not of JP"):
        parse_text(body, Family.IPV4, "JP")


@pytest.mark.parametrize("label", ["Address family", "IP version"])
def test_a_header_that_says_another_family_is_refused(label: str) -> None:
    with pytest.raises(ListError, match="is IPv6, not IPv4"):
        parse_text(f"# {label}: IPv6\n192.0.2.0/24".encode(), Family.IPV4, "JP")


def test_a_header_is_ignored_where_none_is_expected() -> None:
    assert parse_text(country_text("US", Family.IPV4, ["192.0.2.0/24"])).ipv4.entries == 1


@given(st.lists(prefixes(Family.IPV4) | prefixes(Family.IPV6), min_size=1))
def test_written_prefixes_are_read_back(written: list[Prefix]) -> None:
    parsed = parse_text("\n".join(map(str, written)).encode())
    assert parsed.space == AddressSpace.of(written)
    assert parsed.ipv4.entries + parsed.ipv6.entries == len(written)


LONG = [f"{10 + at // 65536}.{at // 256 % 256}.{at % 256}.0/24" for at in range(0, 200_000, 10)]
"""As many entries as a large country has: more than are taken apart at a time."""


def test_long_lists_are_read_whole() -> None:
    body = "\n".join(LONG)
    for text in (body, body + "\n"):
        parsed = parse_text(text.encode())
        assert parsed.ipv4 == FamilyFacts(len(LONG), 24, len(LONG) * 256)
        assert parsed.space == AddressSpace.of(map(prefix, LONG))
    assert parse_country_json(country_json("JP", LONG), "JP").space == parsed.space


@pytest.mark.parametrize(
    "wrong", ["10.0.0.0", "10.0.0.0/8/8", "10.0.0.0 10.0.1.0/24", "10.0.0.1/24"]
)
def test_a_wrong_entry_is_found_on_any_line(wrong: str) -> None:
    for at in range(0, len(LONG) + 1, 617):
        entries = [*LONG[:at], wrong, *LONG[at:]]
        assert bulk_prefixes(Family.IPV4, entries) is None
        assert bulk_lines(Family.IPV4, "\n".join(entries)) is None


@given(st.lists(prefixes(Family.IPV4), min_size=1), st.randoms(use_true_random=False))
def test_decoration_changes_nothing(written: list[Prefix], random: object) -> None:
    plain = "\n".join(map(str, written)).encode()
    decorated = "\r\n".join(f"\t{prefix} ; # {random}\n" for prefix in written).encode()
    assert parse_text(decorated, Family.IPV4) == parse_text(plain, Family.IPV4)


RANGE_ENDS = st.integers(0, 300).map(lambda offset: (192 << 24) + offset)


@given(st.lists(st.tuples(RANGE_ENDS, RANGE_ENDS).map(sorted), min_size=1, max_size=6))
def test_netaddr_reads_ranges_alike(ranges: list[list[int]]) -> None:
    known = [netaddr.IPRange(first, last) for first, last in ranges]
    parsed = parse_text("\n".join(f"{r[0]}-{r[-1]}" for r in known).encode())
    union = netaddr.IPSet()
    for each in known:
        union.update(each)
    assert texts(parsed.space) == [str(network) for network in union.iter_cidrs()]
    assert parsed.repeated(Family.IPV4) == sum(map(len, known)) - union.size


@given(st.binary() | st.text(alphabet="0129.:/-#; \r\naf\0<{").map(str.encode))
def test_any_bytes_give_a_list_or_a_list_error(body: bytes) -> None:
    try:
        parsed = parse_text(body)
    except ListError:
        return
    assert parsed.space


@given(st.lists(st.text(alphabet="012./:af ", max_size=12), max_size=3), st.sampled_from(Family))
def test_the_bulk_parser_accepts_exactly_as_the_careful_one(
    entries: list[str], family: Family
) -> None:
    bulk = bulk_prefixes(family, entries)
    careful = [_careful(entry, family) for entry in entries]
    if bulk is None:
        assert None in careful
    else:
        assert list(zip(bulk.firsts, bulk.pasts, strict=True)) == careful


def _careful(entry: str, family: Family) -> tuple[int, int] | None:
    try:
        return careful_entry(entry, family)[1] if "/" in entry else None
    except ValueError:
        return None
