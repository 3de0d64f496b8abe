"""Facts that need not be found out again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.state import cache
from geofence.state.cache import NAME, FactCache, stamp
from geofence.state.records import COUNT, TEXT, seal


@pytest.fixture
def state(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    return directory


def filled(state: Path) -> None:
    """Leave two facts in the cache."""
    first = FactCache(state)
    assert first.fact("number one", COUNT, lambda: 1) == 1
    assert first.fact("text two", TEXT, lambda: "2") == "2"
    first.save()


def never() -> int:
    raise AssertionError


def test_a_fact_is_found_out_once(state: Path) -> None:
    filled(state)
    again = FactCache(state)
    assert again.fact("number one", COUNT, never) == 1
    assert (state / NAME).stat().st_mode & 0o777 == 0o600


def test_what_is_not_used_any_more_is_not_kept(state: Path) -> None:
    filled(state)
    again = FactCache(state)
    again.put("number three", COUNT, 3)
    again.save()
    last = FactCache(state)
    assert [last.get(key, COUNT) for key in ("number one", "number three")] == [None, 3]
    assert last.get("text two", TEXT) == "2", "nobody asked for facts of that kind"


def test_nothing_is_written_when_nothing_was_found_out(state: Path) -> None:
    filled(state)
    before = stamp(state / NAME)
    again = FactCache(state)
    again.get("number one", COUNT)
    again.save()
    assert stamp(state / NAME) == before


def test_a_fact_without_a_key_is_not_kept(state: Path) -> None:
    first = FactCache(state)
    assert first.fact("", COUNT, lambda: 1) == 1
    first.save()
    assert not (state / NAME).exists()


def test_a_fact_of_another_kind_is_found_out_again(state: Path) -> None:
    filled(state)
    assert FactCache(state).fact("text two", COUNT, lambda: 7) == 7


def test_another_program_finds_out_everything_itself(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(state)
    monkeypatch.setattr(cache, "_program", lambda: "another")
    assert FactCache(state).get("number one", COUNT) is None


@given(st.data())
def test_damage_costs_time_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    state = tmp_path_factory.mktemp("state")
    filled(state)
    path = state / NAME
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    assert FactCache(state).fact("number one", COUNT, lambda: 1) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b'["x"]', b"[1, {}]", b"{}", b"[" * 100_000])
def test_what_is_sealed_and_makes_no_sense_is_no_fact(state: Path, body: bytes) -> None:
    path = state / NAME
    path.write_bytes(seal(1, body))
    path.chmod(0o600)
    assert FactCache(state).get("number one", COUNT) is None


def test_a_file_that_others_could_have_written_is_not_believed(state: Path) -> None:
    filled(state)
    (state / NAME).chmod(0o666)
    assert FactCache(state).get("number one", COUNT) is None


def test_without_a_directory_nothing_is_kept(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    first = FactCache(missing)
    first.put("number one", COUNT, 1)
    first.save()
    assert not missing.exists()


def test_each_version_of_a_file_has_a_stamp_of_its_own(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    assert stamp(path) == ""
    path.write_bytes(b"1")
    first = stamp(path)
    other.write_bytes(b"2")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert stamp(path) not in {"", first}
