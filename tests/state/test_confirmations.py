from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from geofence.errors import StateError
from geofence.model.lists import AcceptedList
from geofence.state.confirmations import NAME
from geofence.state.lists import ListStore
from geofence.state.versions import History, VersionStore
from tests.state.test_lists import FIRST, JP, NOON, SECOND

NIGHTS = [NOON + timedelta(days=day) for day in range(1, 4)]


class State:
    """The stores of one state directory, opened anew at each look, as by each run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def lists(self) -> ListStore:
        return ListStore(self.directory)

    @property
    def file(self) -> Path:
        return self.directory / "lists" / NAME

    def accepted(self) -> AcceptedList:
        found = self.lists.load(JP).accepted
        assert found is not None
        return found

    def history(self) -> History:
        return VersionStore(self.directory).load(JP)

    def latest_confirmed_at(self) -> datetime:
        latest = self.history().latest
        assert latest is not None
        return latest.confirmed_at

    def both_say(self, at: datetime) -> bool:
        """Whether the list and its history were last confirmed at a time."""
        return self.accepted().checked_at == self.latest_confirmed_at() == at


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(tmp_path)
    made.lists.save(FIRST)
    VersionStore(tmp_path).note(FIRST.accepted)
    return made


def test_each_later_time_is_that_of_the_list_and_of_its_history(state: State) -> None:
    assert state.both_say(NOON)
    for before, night in zip([NOON, *NIGHTS], NIGHTS, strict=False):
        state.lists.confirm({JP: (before, night)})
        assert state.both_say(night)
        assert state.accepted() == FIRST.accepted.confirmed(night)


def test_the_files_of_the_list_stay_as_they_are(state: State) -> None:
    files = [path for path in state.file.parent.iterdir() if path.is_file()]
    before = {path: (path.stat().st_ino, path.read_bytes()) for path in files}
    state.lists.confirm({JP: (NOON, NIGHTS[0])})
    assert {path: (path.stat().st_ino, path.read_bytes()) for path in files} == before
    assert state.file.stat().st_mode & 0o777 == 0o600


def test_a_store_that_is_open_sees_the_times_that_others_write(state: State) -> None:
    opened, versions = state.lists, VersionStore(state.directory)
    assert opened.load(JP).accepted == FIRST.accepted
    stamps = opened.stamp(JP), versions.stamp(JP)
    state.lists.confirm({JP: (NOON, NIGHTS[0])})
    assert opened.load(JP).accepted == FIRST.accepted.confirmed(NIGHTS[0])
    assert stamps[0] != opened.stamp(JP)
    assert stamps[1] != versions.stamp(JP)


def test_a_time_does_not_count_for_a_version_that_was_stored_since(state: State) -> None:
    state.lists.confirm({JP: (NOON, NIGHTS[2])})
    newer = SECOND.accepted.confirmed(NIGHTS[0])
    state.lists.save(SECOND)
    state.lists.renew(newer)
    assert state.accepted() == newer
    # A power cut here leaves the history as it is, and its version was confirmed at that time.
    assert state.latest_confirmed_at() == NIGHTS[2]
    VersionStore(state.directory).note(newer)
    assert state.both_say(NIGHTS[0])


def test_a_version_that_is_replaced_keeps_its_time_in_the_history(state: State) -> None:
    state.lists.confirm({JP: (NOON, NIGHTS[0])})
    newer = SECOND.accepted.confirmed(NIGHTS[1])
    state.lists.save(SECOND)
    VersionStore(state.directory).note(newer)
    assert [each.confirmed_at for each in state.history().versions] == [NIGHTS[0], NIGHTS[1]]


def test_times_that_were_written_into_the_files_count(state: State) -> None:
    """As a geofence does that does not know of later times, after a downgrade."""
    state.lists.confirm({JP: (NOON, NIGHTS[0])})
    known = FIRST.accepted.confirmed(NIGHTS[1])
    state.lists.renew(known)
    VersionStore(state.directory).note(known, before=NIGHTS[0])
    assert state.both_say(NIGHTS[1])
    state.lists.confirm({JP: (NIGHTS[1], NIGHTS[2])})
    assert state.both_say(NIGHTS[2])


def test_a_time_before_that_of_the_file_counts(state: State) -> None:
    """A clock that was ahead when the list was stored must not make it young for ever."""
    early = datetime(2025, 1, 1, tzinfo=UTC)
    state.lists.confirm({JP: (NOON, early)})
    assert state.both_say(early)


@pytest.mark.parametrize("damage", [b"", b"[]", b"\x00" * 64, b'{"format": 1, "sha256": ""}\n[]'])
def test_without_the_file_the_times_of_the_lists_count(state: State, damage: bytes) -> None:
    state.lists.confirm({JP: (NOON, NIGHTS[0])})
    state.file.write_bytes(damage)
    assert state.both_say(NOON)
    state.lists.confirm({JP: (NOON, NIGHTS[1])})
    assert state.both_say(NIGHTS[1])
    state.file.unlink()
    assert state.both_say(NOON)


def test_a_file_that_others_can_write_does_not_count(state: State) -> None:
    state.lists.confirm({JP: (NOON, NIGHTS[0])})
    state.file.chmod(0o666)
    assert state.both_say(NOON)


def test_a_failed_write_keeps_the_times(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    state.lists.confirm({JP: (NOON, NIGHTS[0])})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StateError, match="No space left"):
        state.lists.confirm({JP: (NIGHTS[0], NIGHTS[1])})
    monkeypatch.undo()
    assert state.both_say(NIGHTS[0])
