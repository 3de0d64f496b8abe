"""The record of bans: what is written is read again, whatever happens to its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.errors import BusyError, StateError
from geofence.model.bans import Ban, Draft
from geofence.model.prefixes import Family, Prefix
from geofence.state.bans import BanStore
from tests.support.values import prefix

NOW = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
PREFIXES = [prefix(f"192.0.2.{last}/32") for last in range(6)] + [
    prefix("192.0.2.0/28"),
    prefix("2001:db8::/48"),
    prefix("2001:db8::1/128"),
]
ends = st.none() | st.integers(-3600, 3600).map(lambda seconds: NOW + timedelta(seconds=seconds))
bans = st.builds(
    Ban, prefix=st.sampled_from(PREFIXES), at=st.just(NOW), until=ends, reason=st.text(max_size=20)
)
changes = st.lists(
    st.tuples(st.lists(bans, max_size=3), st.lists(st.sampled_from(PREFIXES), max_size=2)),
    max_size=8,
)


def store(directory: str | Path) -> BanStore:
    made = BanStore(Path(directory))
    with made.held(0):
        return made


def obey(
    known: dict[Prefix, Ban], made: list[Ban], gone: list[Prefix], count: int | None = None
) -> dict[Prefix, Ban]:
    """What bans there are after the first so many lines of a change."""
    after = dict(known)
    changed: list[Ban | Prefix] = [*made, *gone]
    for line in changed[:count]:
        if isinstance(line, Ban):
            after[line.prefix] = line
        else:
            after.pop(line, None)
    return after


@given(changes)
def test_what_is_appended_is_read_again_in_its_sequence(
    written: list[tuple[list[Ban], list[Prefix]]],
) -> None:
    known: dict[Prefix, Ban] = {}
    with TemporaryDirectory() as name:
        made = store(name)
        for added, gone in written:
            made.append(added, gone)
            known = obey(known, added, gone)
            found = made.load()
            assert found.bans == known
            assert found.damaged == 0
        assert set(made.load().lasting(NOW)) == {
            each for each, ban in known.items() if ban.until is None or ban.until > NOW
        }


@settings(max_examples=25)
@given(st.lists(bans, max_size=3), st.lists(bans, min_size=1, max_size=2), bans)
def test_a_line_torn_at_any_byte_loses_only_itself(
    before: list[Ban], torn: list[Ban], later: Ban
) -> None:
    with TemporaryDirectory() as name:
        made = store(name)
        made.append(before)
        start = made.path.stat().st_size if before else 0
        made.append(torn)
        whole = made.path.read_bytes()
        for cut in range(start, len(whole) + 1):
            made.path.write_bytes(whole[:cut])
            found = made.load()
            kept = [obey({}, [*before, *torn], [], len(before) + count) for count in (0, 1, 2)]
            assert found.bans in kept
            assert found.damaged <= 1
            made.append([later])
            assert made.load().bans == obey(dict(found.bans), [later], [])


@given(st.lists(bans, min_size=1, max_size=4), st.data())
def test_a_damaged_line_is_counted_and_the_others_count(
    written: list[Ban], data: st.DataObject
) -> None:
    with TemporaryDirectory() as name:
        made = store(name)
        made.append(written)
        lines = made.path.read_bytes().split(b"\n")
        at = data.draw(st.integers(0, len(written)))
        damage = data.draw(
            st.sampled_from(
                [
                    b"{",
                    b"null",
                    b"[]",
                    b"7",
                    b"{}",
                    b'"x"',
                    b"\xff\xfe",
                    b'{"unbanned":7}',
                    b"x" * 99,
                ]
            )
            | st.binary(min_size=1, max_size=30).filter(lambda text: b"\n" not in text)
        )
        made.path.write_bytes(b"\n".join([*lines[:at], damage, *lines[at:]]))
        found = made.load()
        assert found.damaged == 1
        assert found.bans == obey({}, written, [])


def test_the_record_is_written_anew_when_most_of_its_lines_no_longer_count(tmp_path: Path) -> None:
    made = store(tmp_path)
    lasting = Ban(PREFIXES[0], NOW, None, "stays")
    made.append([lasting])
    for _ in range(11):
        made.append([Ban(PREFIXES[1], NOW, NOW + timedelta(seconds=1))] * 100)
    with made.held(0):
        made.tidy(made.load(), NOW + timedelta(seconds=2))
    assert made.path.read_bytes().count(b"\n") == 1
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert made.load().bans == {lasting.prefix: lasting}
    before = made.path.stat().st_ino
    with made.held(0):
        made.tidy(made.load(), NOW)
    assert made.path.stat().st_ino == before


def test_what_others_can_write_is_not_believed(tmp_path: Path) -> None:
    made = store(tmp_path)
    made.append([Ban(PREFIXES[0], NOW)])
    made.path.chmod(0o666)
    with pytest.raises(StateError):
        made.load()


def test_a_record_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    made = store(tmp_path)
    made.path.mkdir()
    with pytest.raises(StateError, match=r"could not be written"):
        made.append([Ban(PREFIXES[0], NOW)])


def test_only_one_process_changes_bans_at_a_time(tmp_path: Path) -> None:
    made = store(tmp_path)
    with made.held(0), pytest.raises(BusyError), made.held(0):
        pass


spans = st.none() | st.integers(1, 100).map(lambda seconds: timedelta(seconds=seconds))
orders = st.lists(st.tuples(st.sampled_from(PREFIXES), st.booleans(), spans), max_size=12)


@given(st.lists(bans, max_size=6), orders)
def test_orders_in_one_draft_do_what_they_do_one_by_one(
    before: list[Ban], given_orders: list[tuple[Prefix, bool, timedelta | None]]
) -> None:
    start = {ban.prefix: ban for ban in before}
    together, single = Draft(start, NOW), dict(start)
    for each, ends_it, lasting in given_orders:
        one = Draft(single, NOW)
        assert together.get(each) == one.get(each)
        for draft in (together, one):
            if ends_it:
                draft.unban(each)
            else:
                draft.ban(each, lasting, "")
        single = obey(single, one.banned, one.unbanned)
    after = obey(start, together.banned, together.unbanned)
    lasts = {each: ban for each, ban in after.items() if ban.lasts(NOW)}
    assert lasts == {each: ban for each, ban in single.items() if ban.lasts(NOW)}


@given(bans, spans)
def test_a_ban_is_never_shortened_by_another(ban: Ban, lasting: timedelta | None) -> None:
    made = Draft({ban.prefix: ban}, NOW).ban(ban.prefix, lasting, "")
    if ban.lasts(NOW) and ban.until is None:
        assert made.until is None
    for until in (ban.until if ban.lasts(NOW) else NOW, NOW + lasting if lasting else None):
        assert made.until is None or until is None or made.until >= until
    assert made.prefix.family in Family
