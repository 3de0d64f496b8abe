from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geofence.errors import StateError
from geofence.lists.parsed import Candidate
from geofence.model.lists import AcceptedList, ListId, ListKind, Provenance
from geofence.model.prefixes import Family
from geofence.state.lists import ListStore, Loaded
from tests.lists.bodies import Part, country_json, country_text, parse_parts

JP = ListId(ListKind.COUNTRY, "JP")
US = ListId(ListKind.COUNTRY, "US")
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)


def candidate(wanted: ListId, *parts: Part, etag: str | None = '"one"') -> Candidate:
    parsed = parse_parts(wanted, parts)
    provenance = tuple(
        Provenance(
            f"https://lists.example/{family}",
            etag,
            hashlib.sha256(body).hexdigest(),
            NOON,
            NOON,
            family,
        )
        for family, body in parts
    )
    accepted = AcceptedList(wanted, parsed.space, provenance)
    return Candidate(accepted, tuple(body for _, body in parts), parsed)


def japan(*prefixes: str) -> Candidate:
    return candidate(JP, (None, country_json("JP", list(prefixes))))


FIRST = japan("192.0.2.0/24")
SECOND = japan("198.51.100.0/24")


@pytest.fixture
def store(tmp_path: Path) -> ListStore:
    return ListStore(tmp_path)


def files(tmp_path: Path) -> list[str]:
    return sorted(entry.name for entry in (tmp_path / "lists").iterdir())


@pytest.mark.parametrize(
    "saved",
    [
        candidate(JP, (None, country_json("JP", ["192.0.2.0/24"], ["2001:db8::/32"]))),
        candidate(JP, (None, country_json("JP", ["192.0.2.0/24"])), etag=None),
        candidate(
            JP,
            (Family.IPV4, country_text("JP", Family.IPV4, ["192.0.2.0/24"])),
            (Family.IPV6, country_text("JP", Family.IPV6, ["2001:db8::/32"])),
        ),
        candidate(ListId(ListKind.BLOCKLIST, "drop"), (None, b"192.0.2.0/24 ; one\n\n\n")),
        candidate(ListId(ListKind.HOST, "push.example"), (None, b"192.0.2.1\n2001:db8::1\n")),
        candidate(ListId(ListKind.HOST, "../../etc/passwd"), (None, b"192.0.2.1\n")),
        candidate(ListId(ListKind.HOST, "h" * 253), (None, b"192.0.2.1\n")),
        candidate(ListId(ListKind.BLOCKLIST, "ü ö/\n"), (None, b"192.0.2.1\n")),
    ],
)
def test_saved_lists_are_loaded(store: ListStore, tmp_path: Path, saved: Candidate) -> None:
    store.save(saved)
    wanted = saved.accepted.id
    assert ListStore(tmp_path).load(wanted) == Loaded(saved.accepted)
    assert store.ids() == (wanted,)
    assert [path.parent for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "lists"]


def test_state_is_private(store: ListStore, tmp_path: Path) -> None:
    store.save(FIRST)
    assert (tmp_path / "lists").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "lists" / "country-JP.list").stat().st_mode & 0o777 == 0o600


def test_a_list_that_was_never_accepted_is_missing(store: ListStore) -> None:
    assert store.load(JP) == Loaded(None)
    assert store.ids() == ()


def test_lists_do_not_mix(store: ListStore) -> None:
    usa = candidate(US, (None, country_json("US", ["203.0.113.0/24"])))
    store.save(FIRST)
    store.save(usa)
    found, warnings = store.load_all([JP, US, ListId(ListKind.COUNTRY, "DE")])
    assert found == {JP: FIRST.accepted, US: usa.accepted}
    assert warnings == ()
    assert store.ids() == (JP, US)


def test_a_damaged_file_is_named_and_the_version_before_is_used(
    store: ListStore, tmp_path: Path
) -> None:
    store.save(FIRST)
    store.save(SECOND)
    path = tmp_path / "lists" / "country-JP.list"
    path.write_bytes(path.read_bytes()[:-1])
    loaded = store.load(JP)
    assert loaded.accepted == FIRST.accepted
    assert loaded.warnings == (
        f"The stored list {path} was skipped. Its checksum does not match its content.",
    )


def test_a_damaged_file_does_not_push_out_the_good_one_before_it(
    store: ListStore, tmp_path: Path
) -> None:
    store.save(FIRST)
    store.save(SECOND)
    path = tmp_path / "lists" / "country-JP.list"
    path.write_bytes(b"damaged")
    store.save(SECOND)
    path.write_bytes(b"damaged")
    assert store.load(JP).accepted == FIRST.accepted


def test_two_damaged_files_are_named_and_not_used(store: ListStore, tmp_path: Path) -> None:
    store.save(FIRST)
    store.save(SECOND)
    for name in files(tmp_path):
        (tmp_path / "lists" / name).write_bytes(b"")
    loaded = store.load(JP)
    assert loaded.accepted is None
    assert len(loaded.warnings) == 2
    assert store.ids() == ()


def test_a_lost_file_is_replaced_by_the_version_before_it(store: ListStore, tmp_path: Path) -> None:
    store.save(FIRST)
    store.save(SECOND)
    (tmp_path / "lists" / "country-JP.list").unlink()
    assert store.load(JP) == Loaded(FIRST.accepted)


def test_every_single_flipped_bit_is_noticed(store: ListStore, tmp_path: Path) -> None:
    store.save(FIRST)
    path = tmp_path / "lists" / "country-JP.list"
    good = path.read_bytes()
    for at in range(len(good)):
        damaged = bytearray(good)
        damaged[at] ^= 1 << (at % 8)
        path.write_bytes(damaged)
        loaded = store.load(JP)
        assert loaded.accepted in (None, FIRST.accepted)
        assert (loaded.accepted is None) == bool(loaded.warnings)
        if at > good.index(b"\n"):
            assert loaded.accepted is None


def test_a_file_in_the_wrong_place_is_not_used(store: ListStore, tmp_path: Path) -> None:
    store.save(FIRST)
    lists = tmp_path / "lists"
    (lists / "country-JP.list").rename(lists / "country-US.list")
    loaded = store.load(US)
    assert loaded.accepted is None
    assert 'It holds the list "country JP", not "country US".' in loaded.warnings[0]


def test_a_file_that_others_can_write_is_not_used(store: ListStore, tmp_path: Path) -> None:
    store.save(FIRST)
    path = tmp_path / "lists" / "country-JP.list"
    path.chmod(0o666)
    loaded = store.load(JP)
    assert loaded.accepted is None
    assert "can be written by" in loaded.warnings[0]


def sealed(facts: object, bodies: bytes, *, stated_format: object = 1) -> bytes:
    """A file with the right checksum, whatever it says."""
    rest = json.dumps(facts).encode() + b"\n" + bodies
    head = {"format": stated_format, "sha256": hashlib.sha256(rest).hexdigest()}
    return json.dumps(head).encode() + b"\n" + rest


PART = {
    "url": "https://lists.example/",
    "etag": None,
    "sha256": "",
    "octets": 13,
    "fetched_at": NOON.isoformat(),
    "checked_at": NOON.isoformat(),
    "family": "ipv4",
}


def facts(**changes: object) -> dict[str, object]:
    return {"kind": "country", "name": "JP", "parts": [{**PART, **changes}]}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (
            sealed(facts(), b"192.0.2.0/24\n", stated_format=2),
            "A newer version of geofence wrote it",
        ),
        (sealed(facts(octets=12), b"192.0.2.0/24\n"), "It is damaged."),
        (sealed(facts(octets="13"), b"192.0.2.0/24\n"), "It is damaged."),
        (sealed(facts(url=None), b"192.0.2.0/24\n"), "It is damaged."),
        (sealed(facts(etag=5), b"192.0.2.0/24\n"), "It is damaged."),
        (sealed(facts(family="ipv5"), b"192.0.2.0/24\n"), "It is damaged."),
        (sealed(facts(checked_at="noon"), b"192.0.2.0/24\n"), "It is damaged."),
        (sealed(facts(checked_at="2026-02-01T12:00:00"), b"192.0.2.0/24\n"), "It is damaged."),
        (
            sealed(facts(checked_at="0001-01-01T00:00:00+14:00"), b"192.0.2.0/24\n"),
            "It is damaged.",
        ),
        (sealed({"kind": "country", "name": "JP", "parts": []}, b""), "It is damaged."),
        (sealed([], b""), "It is damaged."),
        (sealed(facts(), b"192.0.2.1/24\n"), "It no longer passes the checks. Line 1"),
        (b"[" * 100_000, "It is damaged."),
        (b"\n", "It is damaged."),
    ],
)
def test_an_invalid_file_is_named(store: ListStore, tmp_path: Path, data: bytes, why: str) -> None:
    store.save(FIRST)
    (tmp_path / "lists" / "country-JP.list").write_bytes(data)
    loaded = store.load(JP)
    assert loaded.accepted is None
    assert why in loaded.warnings[0]


def test_the_sealed_file_of_these_tests_is_right(store: ListStore, tmp_path: Path) -> None:
    store.save(FIRST)
    (tmp_path / "lists" / "country-JP.list").write_bytes(sealed(facts(), b"192.0.2.0/24\n"))
    assert store.load(JP).accepted is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(list(PART)), inner),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary()
    | st.builds(sealed, JSON, st.binary())
    | st.builds(
        sealed,
        st.dictionaries(st.sampled_from(list(PART)), JSON).map(lambda parts: facts(**parts)),
        st.just(b"192.0.2.0/24\n"),
    )
)
def test_any_file_gives_a_list_or_a_warning(tmp_path: Path, data: bytes) -> None:
    store = ListStore(tmp_path)
    store.save(FIRST)
    (tmp_path / "lists" / "country-JP.list").write_bytes(data)
    (tmp_path / "lists" / "country-JP.list.1").unlink(missing_ok=True)
    loaded = store.load(JP)
    assert (loaded.accepted is None) == (len(loaded.warnings) == 1)


def confirmed(accepted: AcceptedList) -> AcceptedList:
    parts = tuple(replace(part, checked_at=LATER) for part in accepted.provenance)
    return replace(accepted, provenance=parts)


def test_a_confirmation_is_written_down(store: ListStore) -> None:
    store.save(FIRST)
    store.save(SECOND)
    store.renew(confirmed(SECOND.accepted))
    assert store.load(JP) == Loaded(confirmed(SECOND.accepted))


def test_a_confirmation_of_the_version_before_makes_it_the_accepted_one(
    store: ListStore, tmp_path: Path
) -> None:
    store.save(FIRST)
    store.save(SECOND)
    (tmp_path / "lists" / "country-JP.list").write_bytes(b"damaged")
    store.renew(confirmed(FIRST.accepted))
    assert store.load(JP) == Loaded(confirmed(FIRST.accepted))


def test_a_confirmation_of_the_version_before_is_taken_where_the_last_fails_todays_checks(
    store: ListStore, tmp_path: Path
) -> None:
    store.save(FIRST)
    store.save(SECOND)
    wrong = sealed(facts(), b"192.0.2.1/24\n")
    (tmp_path / "lists" / "country-JP.list").write_bytes(wrong)
    store.renew(confirmed(FIRST.accepted))
    assert store.load(JP) == Loaded(confirmed(FIRST.accepted))


@pytest.mark.parametrize("before", [True, False])
def test_a_confirmation_that_comes_too_late_changes_nothing(
    store: ListStore, *, before: bool
) -> None:
    if before:
        store.save(FIRST)
    store.save(SECOND)
    store.renew(confirmed(FIRST.accepted))
    assert store.load(JP) == Loaded(SECOND.accepted)


def test_a_failed_write_keeps_the_stored_version(store: ListStore, tmp_path: Path) -> None:
    store.save(FIRST)
    (tmp_path / "lists" / "country-JP.list.1").mkdir()
    with pytest.raises(StateError, match="could not be written"):
        store.save(SECOND)
    assert store.load(JP) == Loaded(FIRST.accepted)
