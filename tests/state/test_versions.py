from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.model.lists import AcceptedList, ListId, ListKind, Provenance
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.state.versions import MOST_VERSIONS, History, VersionStore, fingerprint

JP = ListId(ListKind.COUNTRY, "JP")
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def space(*numbers: int) -> AddressSpace:
    """Some /24s and one IPv6 prefix."""
    return AddressSpace.of(
        (
            *(Prefix(Family.IPV4, number << 8, 24) for number in numbers),
            Prefix(Family.IPV6, 0x2001 << 112, 32),
        )
    )


def accepted(at: datetime, *numbers: int, fetched: datetime | None = None) -> AcceptedList:
    part = Provenance("https://lists.example/", None, "0" * 64, fetched or at, at)
    return AcceptedList(JP, space(*numbers), (part,))


@pytest.fixture
def store(tmp_path: Path) -> VersionStore:
    return VersionStore(tmp_path)


def test_a_version_is_remembered_with_its_times_and_sizes(store: VersionStore) -> None:
    store.note(accepted(NOON, 1))
    store.note(accepted(NOON + DAY, 1))
    (version,) = store.load(JP).versions
    assert version.sha256 == fingerprint(space(1))
    assert (version.size(Family.IPV4), version.size(Family.IPV6)) == (256, 1 << 96)
    assert version.first_accepted_at == version.accepted_at == NOON
    assert version.confirmed_at == NOON + DAY


def test_a_version_that_returns_is_the_latest_and_known_from_its_first_time(
    store: VersionStore,
) -> None:
    for days, number in enumerate((1, 2, 1)):
        store.note(accepted(NOON + days * DAY, number))
    history = store.load(JP)
    assert [each.sha256 for each in history.versions] == [
        fingerprint(space(2)),
        fingerprint(space(1)),
    ]
    assert history.latest is not None
    assert history.latest.first_accepted_at == NOON
    assert history.latest.accepted_at == NOON + 2 * DAY


def test_a_history_begins_with_the_version_that_was_at_hand(store: VersionStore) -> None:
    store.note(accepted(NOON, 2), former=accepted(NOON - DAY, 1, fetched=NOON - 9 * DAY))
    first, second = store.load(JP).versions
    assert first.accepted_at == NOON - 9 * DAY
    assert first.confirmed_at == NOON - DAY
    assert second.accepted_at == NOON


def test_only_the_latest_versions_are_kept() -> None:
    history = History()
    for number in range(MOST_VERSIONS + 5):
        history = history.noted(space(number), NOON + number * DAY)
    assert len(history.versions) == MOST_VERSIONS
    assert history.find(fingerprint(space(4))) is None
    assert history.find(fingerprint(space(5))) is not None


def test_the_version_in_use_at_a_time_is_found() -> None:
    history = History().noted(space(1), NOON).noted(space(2), NOON + 3 * DAY)
    one, two = history.versions
    assert history.in_force_at(NOON + DAY) == one
    assert history.in_force_at(NOON + 3 * DAY) == two
    assert history.in_force_at(NOON - DAY) == one
    assert History().in_force_at(NOON) is None


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"format": 2}',
        b'{"format": 1, "kind": "country", "name": "US", "versions": []}',
        b'{"format": 1, "kind": "country", "name": "JP", "versions": [{}]}',
        b'{"format": 1, "kind": "country", "name": "JP", "versions": 7}',
        b"[" * 100_000,
        b"\xff\xfe\0",
    ],
)
def test_a_damaged_history_begins_anew(store: VersionStore, tmp_path: Path, damage: bytes) -> None:
    store.note(accepted(NOON, 1))
    (path,) = (tmp_path / "lists").iterdir()
    path.write_bytes(damage)
    assert store.load(JP) == History()
    store.note(accepted(NOON + DAY, 2))
    assert [each.accepted_at for each in store.load(JP).versions] == [NOON + DAY]


@given(st.sets(st.integers(0, 255)), st.sets(st.integers(0, 255)))
def test_equal_addresses_and_no_others_have_equal_fingerprints(
    one: set[int], other: set[int]
) -> None:
    same = fingerprint(space(*one)) == fingerprint(space(*other))
    assert same == (one == other)


def test_the_last_address_of_a_family_can_be_hashed() -> None:
    whole = AddressSpace.of((Prefix(Family.IPV4, 0, 0), Prefix(Family.IPV6, 0, 0)))
    assert fingerprint(whole) != fingerprint(AddressSpace())


@pytest.mark.parametrize(
    ("key", "damaged"),
    [
        ("sha256", 7),
        ("sha256", "short"),
        ("ipv4", "many"),
        ("accepted_at", "yesterday"),
        ("accepted_at", None),
        ("confirmed_at", "2026-02-01"),
    ],
)
def test_an_earlier_version_that_cannot_be_read_is_not_known(
    store: VersionStore, tmp_path: Path, key: str, damaged: object
) -> None:
    for number in range(3):
        store.note(accepted(NOON + number * DAY, number))
    first, _, third = store.load(JP).versions
    (path,) = (tmp_path / "lists").iterdir()
    facts = json.loads(path.read_bytes())
    facts["versions"][1][key] = damaged
    path.write_text(json.dumps(facts))
    history = store.load(JP)
    assert history.versions == (first, third)
    assert history.find(fingerprint(space(1))) is None
    assert history.version_of(space(1)) is None
    assert history.in_force_at(NOON + DAY) == first
    store.note(accepted(NOON + 3 * DAY, 1))
    assert [each.sha256 for each in store.load(JP).versions][-2:] == [
        third.sha256,
        fingerprint(space(1)),
    ]


def test_a_version_that_was_written_with_indentation_is_known(
    store: VersionStore, tmp_path: Path
) -> None:
    """As geofence wrote histories before."""
    history = [store.note(accepted(NOON + number * DAY, number)) for number in range(2)][-1]
    (path,) = (tmp_path / "lists").iterdir()
    path.write_text(json.dumps(json.loads(path.read_bytes()), indent=1))
    assert store.load(JP) == history
