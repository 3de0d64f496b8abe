"""Formats of lists: found out by content, given by the rules, stored with the list."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from geofence.errors import ListError
from geofence.lists import formats
from geofence.lists.format import Format
from geofence.lists.formats import format_named, format_names, format_of, parse_part
from geofence.lists.parsed import FamilyFacts, ParsedList
from geofence.lists.text import parse_text
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family
from geofence.state.lists import ListStore
from tests.lists.bodies import country_json, country_text, parse_parts
from tests.policy.rules import policy
from tests.support.values import space

JP = ListId(ListKind.COUNTRY, "JP")
US = ListId(ListKind.COUNTRY, "US")
DROP = ListId(ListKind.BLOCKLIST, "drop")
PUSH = ListId(ListKind.HOST, "push.example")
RECORDED = Path(__file__).parents[1] / "recorded" / "lists-format-1"

AS_JSON = country_json("JP", ["192.0.2.0/24"], ["2001:db8::/32"])
AS_TEXT = b"# Country: Nowhere (JP)\n192.0.2.0/24\n2001:db8::/32\n"


def test_a_country_as_json_and_as_text_is_the_same_list() -> None:
    as_text = [
        (Family.IPV4, country_text("JP", Family.IPV4, ["192.0.2.0/24"])),
        (Family.IPV6, country_text("JP", Family.IPV6, ["2001:db8::/32"])),
    ]
    assert parse_parts(JP, [(None, AS_JSON)]) == parse_parts(JP, as_text)


def test_parts_that_repeat_each_other_are_counted_once() -> None:
    part = (Family.IPV4, b"192.0.2.0/24")
    parsed = parse_parts(JP, [part, part])
    assert parsed.space.ipv4.size == 256
    assert parsed.ipv4 == FamilyFacts(2, 24, 512)
    assert parsed.repeated(Family.IPV4) == 256


def test_a_country_text_is_held_to_its_header() -> None:
    with pytest.raises(ListError, match="is that of US, not of JP"):
        parse_parts(JP, [(Family.IPV4, country_text("US", Family.IPV4, ["192.0.2.0/24"]))])


def test_other_lists_are_text_of_either_family() -> None:
    parsed = parse_parts(DROP, [(None, b"192.0.2.0/24 ; a\n2001:db8::/32 ; b\n")])
    assert (parsed.ipv4.entries, parsed.ipv6.entries) == (1, 1)


@pytest.mark.parametrize(
    ("wanted", "body", "name"),
    [
        (JP, AS_JSON, "json"),
        (JP, b"\xef\xbb\xbf \n" + AS_JSON, "json"),
        (JP, b"[]", "json"),
        (JP, AS_TEXT, "text"),
        (JP, b"", "text"),
        (DROP, b"192.0.2.0/24\n", "text"),
        (DROP, AS_JSON, "text"),
        (DROP, b'{"cidr": "192.0.2.0/24"}\n{"records": 1}\n', "json-lines"),
        (DROP, b'\xef\xbb\xbf\r\n{"records": 0}', "json-lines"),
        (DROP, b"# DShield\n\n192.0.2.0\t192.0.2.255\t24\t7\n", "dshield"),
        (DROP, b"# DShield\r\nStart\tEnd\tNetmask\n", "dshield"),
        (DROP, b"192.0.2.0\n192.0.2.255\t24\n", "text"),
        (DROP, b"# apiban 100\n192.0.2.7 2026-02-01T12:00:00+00:00\n", "text"),
        (JP, b'{"cidr": "192.0.2.0/24"}\n{"records": 1}\n', "json"),
        (PUSH, b"192.0.2.1\n", "text"),
    ],
)
def test_the_format_is_found_out_by_content(wanted: ListId, body: bytes, name: str) -> None:
    assert format_of(wanted.kind, body).name == name


@pytest.mark.parametrize(("body", "name"), [(AS_JSON, "json"), (AS_TEXT, "text")])
def test_a_given_format_is_used(body: bytes, name: str) -> None:
    assert parse_part(JP, None, body, name) == parse_part(JP, None, body)


@pytest.mark.parametrize(
    ("family", "body", "given", "why"),
    [
        (None, AS_TEXT, "json", "^The list is not JSON"),
        (None, AS_JSON, "text", "^The source sent JSON instead of a text list"),
        (Family.IPV4, AS_JSON, None, "^The list is JSON, which has both families; remove {family}"),
        (
            None,
            AS_TEXT,
            "cvs",
            '^The list has the unknown format "cvs"; expected json, .* or text',
        ),
        (None, b"<html>", None, "an HTML page instead of a list"),
        (None, b"Not found", None, '^Line 1: "Not found" is not an IPv4 prefix'),
    ],
)
def test_a_body_of_another_format_is_refused(
    family: Family | None, body: bytes, given: str | None, why: str
) -> None:
    with pytest.raises(ListError, match=why):
        parse_part(JP, family, body, given)


def test_json_instead_of_a_blocklist_is_refused() -> None:
    with pytest.raises(ListError, match="JSON instead of a text list"):
        parse_part(DROP, None, AS_JSON)


def test_the_rules_may_give_the_format() -> None:
    rules = policy(
        """
        [source.country]
        urls = ["https://a.example/{cc}.json"]
        format = "json"
        [blocklist.drop]
        url = "https://a.example/drop.txt"
        format = "text"
        [blocklist.other]
        url = "https://a.example/other.txt"
        """
    )
    assert rules.country_format == "json"
    assert [each.format for each in rules.blocklists] == ["text", None]
    assert policy("").country_format is None


def test_urls_by_family_are_for_formats_by_family() -> None:
    rules = policy(
        'source.country = { urls = ["https://a.example/{cc}/{family}"], format = "text" }'
    )
    assert rules.country_format == "text"


def _parse_csv(wanted: ListId, family: Family | None, body: bytes) -> ParsedList:
    del wanted
    return parse_text(body.replace(b";", b"\n").removeprefix(b"csv"), family)


CSV = Format(
    "csv", frozenset({ListKind.BLOCKLIST}), True, lambda body: body[:3] == b"csv", _parse_csv
)


def test_another_format_is_one_line_of_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", (CSV, *formats.FORMATS))
    assert format_names(ListKind.BLOCKLIST) == ("csv", "json-lines", "dshield", "apiban", "text")
    assert format_named("csv") is CSV
    body = b"csv;192.0.2.0/24;198.51.100.0/24"
    for given in (None, "csv"):
        found = parse_part(DROP, None, body, given)
        assert found.space == space("192.0.2.0/24", "198.51.100.0/24")
    rules = policy('blocklist.x = { url = "https://a.example/x", format = "csv" }')
    assert rules.blocklists[0].format == "csv"


@pytest.fixture
def stored(tmp_path: Path) -> ListStore:
    """A state directory as geofence left it before lists had formats."""
    shutil.copytree(RECORDED, tmp_path / "lists")
    for path in (tmp_path / "lists", *(tmp_path / "lists").iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return ListStore(tmp_path)


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        (JP, space("192.0.2.0/24", "2001:db8::/32")),
        (US, space("198.51.100.0/24", "2001:db8:1::/48")),
        (DROP, space("192.0.2.128/25", "2001:db8:2::/48")),
        (PUSH, space("203.0.113.7/32")),
    ],
)
def test_lists_stored_without_a_format_are_read(
    stored: ListStore, wanted: ListId, held: AddressSpace
) -> None:
    loaded = stored.load(wanted)
    assert loaded.warnings == ()
    assert loaded.accepted is not None
    assert loaded.accepted.space == held
    assert {part.format for part in loaded.accepted.provenance} == {None}
    facts = json.loads((RECORDED / "country-JP.list").read_bytes().split(b"\n")[1])
    assert "format" not in facts["parts"][0]


@pytest.mark.parametrize(("name", "usable"), [("json", True), ("from-the-future", False)])
def test_the_format_is_stored_with_a_list(stored: ListStore, name: str, usable: bool) -> None:
    before = stored.load(JP).accepted
    assert before is not None
    named = replace(before, provenance=(replace(before.provenance[0], format=name),))
    stored.renew(named)
    loaded = stored.load(JP)
    assert loaded.accepted == (named if usable else None)
    assert ["unknown format" in warning for warning in loaded.warnings] == [True] * (not usable)
