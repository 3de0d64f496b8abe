"""Blocklists, which may have a few wrong lines, and IPv4 addresses written as IPv6."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ListError
from geofence.lists.formats import parse_part
from geofence.lists.text import parse_blocklist
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family, Prefix, address_text
from tests.lists.bodies import prefixes

FULL_LENGTH = 96


def texts(space: AddressSpace) -> list[str]:
    return [str(prefix) for family in Family for prefix in space[family].prefixes()]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("::ffff:198.51.100.7", "198.51.100.7/32"),
        ("::FFFF:c633:6407", "198.51.100.7/32"),
        ("0:0:0:0:0:ffff:198.51.100.7", "198.51.100.7/32"),
        ("::ffff:198.51.100.0/120", "198.51.100.0/24"),
        ("::ffff:198.51.100.0/128 ; one", "198.51.100.0/32"),
        ("::ffff:198.51.100.4-::ffff:198.51.100.7", "198.51.100.4/30"),
        ("::ffff:0:0/96", "::ffff:0.0.0.0/96"),
        ("::fffe:198.51.100.7", "::fffe:c633:6407/128"),
        ("::/64", "::/64"),
    ],
)
@pytest.mark.parametrize("others", [[], ["192.0.2.0/24"], ["192.0.2.0/24", "2001:db8::/32"]])
def test_ipv4_written_as_ipv6_is_ipv4(written: str, meant: str, others: list[str]) -> None:
    parsed = parse_blocklist("\n".join([*others, written, ""]).encode())
    assert sorted(texts(parsed.space)) == sorted([*others, meant])
    assert parsed.ipv4.entries + parsed.ipv6.entries == len(others) + 1


@given(st.lists(prefixes(Family.IPV4), min_size=1))
def test_any_ipv4_prefixes_written_as_ipv6_are_the_same_list(written: list[Prefix]) -> None:
    narrower = [each for each in written if each.length] or [Prefix(Family.IPV4, 0, 8)]
    mapped = [
        f"::ffff:{address_text(Family.IPV4, each.network)}/{each.length + FULL_LENGTH}"
        for each in narrower
    ]
    plain = parse_blocklist("\n".join(map(str, narrower)).encode())
    assert parse_blocklist("\n".join(mapped).encode()) == plain


@st.composite
def dressed(draw: st.DrawFn) -> tuple[bytes, AddressSpace]:
    """A list as publishers may write it, and what it means."""
    family = st.sampled_from(Family)
    chosen = draw(st.lists(family.flatmap(prefixes).filter(is_not_mapped), min_size=1))
    lines = [draw(written(each)) for each in chosen]
    around = st.sampled_from(["", "# a", "; b", "  # 192.0.2.1", "\t"])
    for at in draw(st.lists(st.integers(0, len(lines)))):
        lines.insert(at, draw(around))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    bom = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    return bom + "".join(f"{line}{end}" for line in lines).encode(), AddressSpace.of(chosen)


def is_not_mapped(each: Prefix) -> bool:
    return each.family is Family.IPV4 or each.network >> 32 != 0xFFFF


def written(each: Prefix) -> st.SearchStrategy[str]:
    """Ways to write a prefix."""
    low, high = (address_text(each.family, n) for n in (each.network, each.past - 1))
    forms = [str(each), f"{low}-{high}", f"{low} - {high}"]
    forms += [low, low.upper()] if each.length == each.family.bits else []
    tails = ["", " ", "\t# SBL1", " ; SBL1", ";x", "#y"]
    return st.builds(str.__add__, st.sampled_from(forms), st.sampled_from(tails))


@given(dressed())
def test_prefixes_addresses_and_ranges_come_back_in_any_dress(
    case: tuple[bytes, AddressSpace],
) -> None:
    body, meant = case
    parsed = parse_blocklist(body)
    assert parsed.space == meant
    assert not parsed.skipped


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_range_becomes_the_fewest_prefixes(one: int, other: int) -> None:
    low, high = sorted((one, other))
    texts_ = (address_text(Family.IPV4, each) for each in (low, high))
    found = parse_blocklist("-".join(texts_).encode() + b"\n").space.ipv4
    assert (found.bounds, found.size) == ((low, high + 1), high + 1 - low)
    assert found.prefix_count <= 62


GOOD = [f"192.0.2.{number}" for number in range(200)]
REPORTED = [
    "176.221.42.3254.174.140.223",
    "195.78.82.0/234  China",
    "942.180.233.122",
    "Tue",
    "192.0.2.1/24",
]


@pytest.mark.parametrize("bad", REPORTED)
def test_one_wrong_line_does_not_spoil_a_blocklist(bad: str) -> None:
    parsed = parse_blocklist("\n".join(["# head", *GOOD[:50], bad, *GOOD[50:], ""]).encode())
    assert parsed.ipv4.entries == len(GOOD)
    [skipped] = parsed.skipped
    assert skipped.number == 52
    assert bad.split("/", maxsplit=1)[0] in str(skipped)


@pytest.mark.parametrize(
    ("good", "bad", "taken"),
    [(1, 1, True), (1, 2, False), (4, 5, False), (5, 5, True), (200, 5, True), (200, 6, False)],
)
def test_no_more_lines_than_a_few_may_be_wrong(good: int, bad: int, taken: bool) -> None:
    lines = [*(f"wrong {number}" for number in range(bad)), *GOOD[:good], ""]
    body = "\n".join(lines).encode()
    if taken:
        assert len(parse_blocklist(body).skipped) == bad
        return
    with pytest.raises(ListError, match=rf'^Line 1: "wrong 0" is .*{bad - 1} more of its'):
        parse_blocklist(body)


@pytest.mark.parametrize(("bad", "taken"), [(100, True), (102, False)])
def test_of_a_long_blocklist_one_percent_may_be_wrong(bad: int, taken: bool) -> None:
    good = [f"10.{number // 256}.{number % 256}.0/24" for number in range(9_950)]
    body = "\n".join([*["nonsense"] * bad, *good, ""]).encode()
    if taken:
        assert len(parse_blocklist(body).skipped) == bad
    else:
        with pytest.raises(ListError):
            parse_blocklist(body)


@pytest.mark.parametrize(
    "body", [b"Not found", b"Not found\n", b"a\nb\nc\n", b"<html>", b"{}", b""]
)
def test_a_body_that_is_not_a_blocklist_is_refused(body: bytes) -> None:
    with pytest.raises(ListError):
        parse_blocklist(body)


def test_a_blocklist_that_ends_within_a_line_was_cut_short() -> None:
    with pytest.raises(ListError, match=r'^The list was cut short: line 201: "221\.128\.8"'):
        parse_blocklist("\n".join([*GOOD, "221.128.8"]).encode())


@pytest.mark.parametrize("body", [b"# nothing today\n", b"; one\n\n# two\n"])
def test_a_blocklist_of_comments_only_is_one_without_entries(body: bytes) -> None:
    parsed = parse_blocklist(body)
    assert not parsed.space
    assert parsed.ipv4.broadest is None


def test_a_countrys_list_may_have_no_wrong_line() -> None:
    japan = ListId(ListKind.COUNTRY, "JP")
    for bad in (*REPORTED, "2001:db8::1", "::ffff:192.0.2.1"):
        body = "\n".join([*(f"{each}/32" for each in GOOD), bad, ""]).encode()
        with pytest.raises(ListError, match=r"^Line 201: "):
            parse_part(japan, Family.IPV4, body)


@given(st.binary() | st.text(alphabet="0129.:/-#; \r\naf\0<{").map(str.encode))
def test_any_bytes_give_a_blocklist_or_a_list_error(body: bytes) -> None:
    try:
        parsed = parse_blocklist(body)
    except ListError:
        return
    assert parsed.space or b"#" in body or b";" in body
