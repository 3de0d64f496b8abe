"""The index of a mirror: what is written is read again, and nothing else is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.errors import ListError
from geofence.mirror.index import Entry, Index, Part, read, written
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family
from tests.mirror.made import JP, NOON, index

GOOD: dict[str, Any] = json.loads(written(index({JP: b"a list"}, 7)))

moments = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
lines = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Co", "Cn", "Zs"]))
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
parts = st.builds(
    Part,
    hashes,
    st.integers(0, 1 << 40),
    st.none() | st.sampled_from(Family),
    st.none() | st.sampled_from(["json", "text"]),
    st.none() | moments,
    lines,
)
entries = st.builds(Entry, moments, st.lists(parts, min_size=1, max_size=3).map(tuple))
names = st.builds(ListId, st.sampled_from(ListKind), lines)
indexes = st.builds(
    Index,
    st.integers(0, (1 << 53) - 1),
    moments,
    moments,
    st.dictionaries(names, entries, max_size=4),
)


@settings(max_examples=40, deadline=None)
@given(indexes)
def test_what_is_written_is_read_again(made: Index) -> None:
    assert read(written(made)) == made


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_whatever_a_mirror_sends_is_an_index_or_an_error_of_ours(body: bytes) -> None:
    with pytest.raises(ListError):
        read(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(facts: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401
    """The ways to all values in a document."""
    inner = facts.items() if isinstance(facts, dict) else enumerate(facts)
    found = []
    for key, value in inner:
        found.append((*way, key))
        if isinstance(value, dict | list):
            found += places(value, (*way, key))
    return found


@settings(deadline=None)
@given(st.sampled_from(places(GOOD)), json_values)
def test_an_index_with_another_value_anywhere_is_read_or_refused(
    way: tuple[Any, ...], value: object
) -> None:
    facts = json.loads(json.dumps(GOOD))
    place = facts
    for key in way[:-1]:
        place = place[key]
    place[way[-1]] = value
    try:
        found = read(json.dumps(facts).encode())
    except ListError:
        return
    assert read(written(found)) == found


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", "geofence mirror 2"),
        ("serial", -1),
        ("serial", True),
        ("serial", 1 << 60),
        ("serial", 1.5),
        ("expires_at", "2026-02-01T12:00:00"),
        ("expires_at", "never"),
        ("lists", {}),
        ("lists", [*GOOD["lists"], *GOOD["lists"]]),
        ("lists", [{**GOOD["lists"][0], "parts": []}]),
        ("lists", [{**GOOD["lists"][0], "kind": "cities"}]),
        ("lists", [{**GOOD["lists"][0], "name": "\ud800"}]),
    ],
)
def test_an_index_that_is_wrong_is_refused_whole(key: str, value: object) -> None:
    with pytest.raises(ListError, match="not an index of a mirror"):
        read(json.dumps({**GOOD, key: value}).encode())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sha256", "../../etc/passwd"),
        ("sha256", "A" * 64),
        ("size", -1),
        ("family", "ipv5"),
        ("copyright", "two\nlines"),
    ],
)
def test_a_part_that_is_wrong_is_refused(key: str, value: object) -> None:
    facts = json.loads(json.dumps(GOOD))
    facts["lists"][0]["parts"][0][key] = value
    with pytest.raises(ListError):
        read(json.dumps(facts).encode())


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(ListError):
        read(b'{"format":' + b"[" * 200_000)


def test_an_index_counts_until_its_end() -> None:
    assert index({}).expires_at == NOON + timedelta(days=7)
