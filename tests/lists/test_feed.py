"""The format ``feed``: prefixes out of JSON of any shape, by paths or anywhere."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ListError
from geofence.lists.feed import NAME, extracted, parse_feed, paths_of
from geofence.lists.formats import format_of, parse_part
from geofence.lists.parsed import ParsedList
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family
from tests.lists.bodies import prefixes
from tests.policy.rules import complaints, policy
from tests.support.values import space

FEED = ListId(ListKind.FEED, "provider-media")
DOCUMENT = {
    "version": "2026-05-25T00:00:00Z",
    "signalling": {"us": {"hosts": ["sip.provider.example"], "ips": ["192.0.2.10"]}},
    "media": [{"prefix": "198.51.100.0/24", "ports": "10000-20000"}, {"prefix": "2001:db8::/48"}],
    "mixed": [{"v4": "203.0.113.0/25"}, {"v6": "2001:db8:1::/48"}, {"note": "none"}],
}


def read(document: Any, *paths: str) -> ParsedList:  # noqa: ANN401 - any JSON
    """What is read of a document, through the form in which it is stored."""
    return parse_feed(extracted(json.dumps(document).encode(), paths))


def refusal(body: bytes, *paths: str) -> str:
    with pytest.raises(ListError) as caught:
        parse_feed(extracted(body, paths))
    return str(caught.value)


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["media[].prefix"], ["198.51.100.0/24", "2001:db8::/48"]),
        (["signalling.us.ips[]"], ["192.0.2.10"]),
        (["signalling.*.ips[]"], ["192.0.2.10"]),
        (["mixed[].v4", "mixed[].v6"], ["203.0.113.0/25", "2001:db8:1::/48"]),
        (
            ["media[].prefix", "signalling.us.ips[]"],
            ["192.0.2.10", "198.51.100.0/24", "2001:db8::/48"],
        ),
    ],
)
def test_paths_lead_to_prefixes(paths: list[str], found: list[str]) -> None:
    parsed = read(DOCUMENT, *paths)
    assert parsed.space == space(*found)
    assert paths_of(parsed.carried) == tuple(paths)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (["192.0.2.0/24"], "[]"),
        ([["192.0.2.0/24"]], "[][]"),
        ({"a": [["192.0.2.0/24"]]}, "a[][]"),
        ({"a": {"b": "192.0.2.0/24"}}, "a.b"),
        ({"a": {"b": ["192.0.2.0/24"]}}, "*.*[]"),
        ({"a b": 1, "über": "192.0.2.0/24"}, "über"),
        ({"": 1, "a": " 192.0.2.0/24 "}, "a"),
    ],
)
def test_arrays_objects_and_strings_at_any_depth(document: object, path: str) -> None:
    assert read(document, path).space == space("192.0.2.0/24")


def test_without_paths_every_prefix_and_address_anywhere_is_taken() -> None:
    everything = (
        "192.0.2.10",
        "198.51.100.0/24",
        "2001:db8::/48",
        "203.0.113.0/25",
        "2001:db8:1::/48",
    )
    assert read(DOCUMENT).space == space(*everything)


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-25",
        "12:30:00",
        "24/7",
        "2026/11",
        "1.2",
        "00:1a:2b:3c:4d:5e",
        "10000-20000",
        "192.0.2.1-192.0.2.9",
        "192.0.2.1:5060",
        "sip.provider.example",
        "",
        "prefix 192.0.2.0/24",
    ],
)
def test_without_paths_other_texts_are_passed_over(text: str) -> None:
    assert read(["198.51.100.0/24", text, {text: 1}]).space == space("198.51.100.0/24")


@pytest.mark.parametrize(
    "text", ["192.0.2.1/24", "192.0.2.0/33", "192.0.2.256/32", "2001:db8::1/32", "2001:db8::/129"]
)
def test_without_paths_a_wrong_prefix_refuses_the_feed(text: str) -> None:
    body = json.dumps(["198.51.100.0/24", text]).encode()
    assert refusal(body) == f'"{text}" is not a valid prefix.'


@pytest.mark.parametrize(
    ("document", "path", "why"),
    [
        ({"a": 1}, "b", 'The list has nothing at "b".'),
        ({"a": []}, "a[]", 'The list has nothing at "a[]".'),
        ({"a": {}}, "a[]", 'The list has nothing at "a[]".'),
        ({"a": ["192.0.2.0/24"]}, "a", 'At "a" the list has an array; write "a[]".'),
        ({"a": 1}, "a", 'At "a" the list has 1, which is not a prefix or an address.'),
        ({"a": None}, "a", 'At "a" the list has None, which is not a prefix or an address.'),
        ({"a": "x"}, "a", 'At "a" the list has "x", which is not a prefix or an address.'),
        (
            {"a": ["192.0.2.0/24", "192.0.2.1/24"]},
            "a[]",
            'At "a[]" the list has "192.0.2.1/24", which is not a prefix or an address.',
        ),
        (
            {"a": "192.0.2.1-192.0.2.9"},
            "a",
            'At "a" the list has "192.0.2.1-192.0.2.9", which is not a prefix or an address.',
        ),
    ],
)
def test_what_is_not_where_it_should_be_refuses_the_feed(
    document: object, path: str, why: str
) -> None:
    assert refusal(json.dumps(document).encode(), path) == why


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "The list is empty."),
        (b" \n", "The list is empty."),
        (b"<!DOCTYPE html><html>", "The source sent an HTML page instead of a list."),
        (b"{}", "The list contains no prefix."),
        (b"[]", "The list contains no prefix."),
        (b'{"media": []}', "The list contains no prefix."),
        (b'{"media": ["192.0.2.0/24"', "The list is not JSON, or was cut short"),
        (b"[" * 100_000, "The list is JSON that is nested too deeply."),
        (b'["192.0.2.0/24"]\0', "The source sent binary data instead of a list."),
        (b'{"media": "192.0.2.0/24\xff"}', "it has invalid characters"),
    ],
)
def test_what_is_not_a_feed_is_refused(body: bytes, why: str) -> None:
    assert why in refusal(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"paths": [], "prefixes": []}',
        b'{"paths": [], "prefixes": ["x"]}',
        b'{"paths": [1], "prefixes": ["192.0.2.0/24"]}',
        b'{"prefixes": ["192.0.2.0/24"]}',
        b'["192.0.2.0/24"]',
        b'{"paths": [], "prefixes": [["192.0.2.0/24"]]}',
    ],
)
def test_a_damaged_stored_feed_is_refused(body: bytes) -> None:
    with pytest.raises(ListError):
        parse_feed(body)


def test_the_stored_form_is_recognised_and_a_text_feed_is_text() -> None:
    stored = extracted(json.dumps(DOCUMENT).encode())
    assert format_of(ListKind.FEED, stored).name == NAME
    text = b"# of the provider\n192.0.2.0/24\n2001:db8::/48\n"
    assert format_of(ListKind.FEED, text).name == "text"
    assert parse_part(FEED, None, text).space == space("192.0.2.0/24", "2001:db8::/48")


def test_one_wrong_line_refuses_a_text_feed() -> None:
    """It decides who is allowed; a blocklist may have a few."""
    with pytest.raises(ListError):
        parse_part(FEED, None, b"192.0.2.0/24\nx\n" + b"198.51.100.0/24\n" * 500)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(
    JSON, st.lists(st.from_regex(r"(\w+|\*|\[\])(\[\])?(\.\w+|\.\*)?", fullmatch=True), max_size=2)
)
def test_any_json_gives_prefixes_or_is_refused(document: object, paths: list[str]) -> None:
    with suppress(ListError):
        assert read(document, *paths).space


@given(st.binary(), st.sampled_from([(), ("a[].b",)]))
def test_any_bytes_give_prefixes_or_are_refused(body: bytes, paths: tuple[str, ...]) -> None:
    with suppress(ListError):
        assert parse_feed(extracted(body, paths)).space


@given(st.lists(prefixes(Family.IPV4) | prefixes(Family.IPV6), min_size=1), st.data())
def test_prefixes_are_read_back_wherever_they_are_hidden(
    wanted: list[Any], data: st.DataObject
) -> None:
    document: object = [str(each) for each in wanted]
    for key in data.draw(st.lists(st.sampled_from(["a", "b", "[]"]), max_size=4)):
        document = [document, 1] if key == "[]" else {key: document, "x": None, "y": "sip.example"}
    assert read(document).space == AddressSpace.of(wanted)


@pytest.mark.parametrize("path", ["a", "a[]", "[]", "[][]", "*", "a.*.b[]", "*[]", "a-b.c_d[][]"])
def test_the_rules_take_paths_that_the_reader_understands(path: str) -> None:
    rules = policy(f'[exception.x]\nfeed = "https://feed.example/x"\npaths = ["{path}"]\n')
    assert rules.exceptions[0].paths == (path,)


@pytest.mark.parametrize(
    "path", ["", ".", "a.", ".a", "a..b", "a[", "a[0]", "[]a", "a b", "a[]b", "$.a[*]"]
)
def test_the_rules_refuse_other_paths(path: str) -> None:
    (told,) = complaints(f'[exception.x]\nfeed = "https://feed.example/x"\npaths = ["{path}"]\n')
    assert "is not a path in JSON" in told
