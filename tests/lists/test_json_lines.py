"""JSON lines as Spamhaus publishes its DROP lists, with a last line that shows completeness."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ListError
from geofence.lists.formats import parse_part
from geofence.lists.json_lines import parse_json_lines
from geofence.lists.parsed import ParsedList, Publication
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family, Prefix
from tests.lists.bodies import drop_lines, prefixes
from tests.support.values import space

DROP = ListId(ListKind.BLOCKLIST, "drop")
GOOD = [f"192.0.{number}.0/24" for number in range(200)]
MAPPED = Prefix(Family.IPV6, 0xFFFF << 32, 96)
ANY = prefixes(Family.IPV4) | prefixes(Family.IPV6).filter(
    lambda each: not (MAPPED.network <= each.network and each.past <= MAPPED.past)
)


def refused(body: bytes) -> str:
    with pytest.raises(ListError) as caught:
        parse_json_lines(body)
    return str(caught.value)


def test_a_list_of_both_families_is_found_by_its_content() -> None:
    body = drop_lines(["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"])
    parsed = parse_part(DROP, None, body)
    assert parsed.space == space("192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32")
    assert (parsed.ipv4.entries, parsed.ipv6.entries) == (2, 1)


def test_date_and_copyright_are_kept() -> None:
    parsed = parse_json_lines(drop_lines(["192.0.2.0/24"]))
    at = datetime(2025, 9, 5, 6, 40, tzinfo=UTC)
    assert parsed.publication == Publication(at, "(c) 2025 The Example Project")


@pytest.mark.parametrize(
    ("trailer", "publication"),
    [
        ({"timestamp": "soon", "copyright": 7}, Publication()),
        ({"timestamp": 10**30}, Publication()),
        ({"timestamp": -1, "copyright": "a\x1b[2J"}, Publication(None, "a\\x1b[2J")),
        ({}, Publication()),
    ],
)
def test_a_last_line_without_them_is_enough(
    trailer: dict[str, object], publication: Publication
) -> None:
    body = f'{{"cidr": "192.0.2.0/24"}}\n{json.dumps({"records": 1, **trailer})}\n'.encode()
    assert parse_json_lines(body).publication == publication


@given(st.lists(ANY))
def test_any_prefixes_come_back(written: list[Prefix]) -> None:
    parsed = parse_json_lines(drop_lines(list(map(str, written))))
    assert parsed.space == AddressSpace.of(written)
    assert parsed.ipv4.entries + parsed.ipv6.entries == len(written)


@given(st.data())
def test_a_list_that_was_cut_anywhere_is_refused(data: st.DataObject) -> None:
    body = drop_lines(GOOD[:20])
    at = data.draw(st.integers(1, len(body.rstrip()) - 1))
    assert "cut short" in refused(body[:at])


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['{"cidr": "192.0.2.0/24"}'], 'does not have the key "records"'),
        (['{"cidr": "192.0.2.0/24"}', '{"records": 2}'], "has 1 entry, but its last line says 2"),
        (['{"cidr": "192.0.2.0/24"}', '{"records": 0}'], "has 1 entry, but its last line says 0"),
        (['{"cidr": "192.0.2.0/24"}', '{"records": true}'], 'the key "records"'),
        (['{"cidr": "192.0.2.0/24"}', '{"records": "1"}'], 'the key "records"'),
        (['{"cidr": "192.0.2.0/24", "records": 1}'], 'the key "records"'),
        (['{"records": 1}', '{"cidr": "192.0.2.0/24"}'], 'the key "records"'),
        (['{"cidr": "192.0.2.0/24"', '{"records": 1}'], "Line 1 of the list is not a JSON object"),
        (["[1]", '{"records": 1}'], "Line 1 of the list is not a JSON object"),
        (['{"cidr": "192.0.2.0/24"}'] * 2 + ['{"records": 1}'] * 2, "says 1"),
        (["<html>"], "HTML page"),
    ],
)
def test_a_last_line_that_is_missing_or_wrong_refuses_the_list(lines: list[str], said: str) -> None:
    assert said in refused("\n".join(lines).encode())


def test_a_few_invalid_entries_are_skipped_and_told_by_line() -> None:
    entries = [*GOOD[:50], "192.0.2.1/24", *GOOD[50:]]
    parsed = parse_json_lines(drop_lines(entries))
    assert parsed.ipv4.entries == len(GOOD)
    [skipped] = parsed.skipped
    assert (skipped.number, "host bits" in skipped.problem) == (51, True)
    lines = [*drop_lines(GOOD).decode().splitlines()[:-1], '{"prefix": "192.0.2.0/24"}']
    parsed = parse_json_lines("\n".join([*lines, f'{{"records": {len(lines)}}}']).encode())
    assert [each.number for each in parsed.skipped] == [201]


def test_too_many_invalid_entries_refuse_the_list() -> None:
    assert "are invalid, too" in refused(drop_lines([*GOOD[:20], *["nonsense"] * 6]))


def test_an_emptied_list_is_one_without_entries() -> None:
    assert parse_json_lines(b'{"type":"metadata","records":0}\n').space == AddressSpace()


@given(
    st.binary()
    | st.text(alphabet='{}[]":,cidrecos0129./\n ').map(str.encode)
    | st.lists(
        st.sampled_from(
            [
                b'{"cidr":"192.0.2.0/24"}',
                b'{"records":1}',
                b'{"records":2}',
                b'{"cidr":null}',
                b"\xff",
                b"[" * 2000,
                b'{"records":' + b"9" * 5000 + b"}",
            ]
        )
    ).map(b"\n".join)
)
def test_any_bytes_give_a_list_or_a_list_error(body: bytes) -> None:
    try:
        parsed = parse_json_lines(body)
    except ListError:
        return
    assert isinstance(parsed, ParsedList)
    assert b"records" in body
