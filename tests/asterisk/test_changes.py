"""Changes of Asterisk's configuration on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from geofence.asterisk.changes import files_state, wait_for_change

LONG = 60.0
"""Seconds after which files are looked at without a notification; a test that waits fails."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "etc" / "asterisk"
    (made / "conf.d").mkdir(parents=True)
    (made / "pjsip.conf").write_text("[udp]\n")
    (made / "conf.d" / "north.conf").write_text("[north]\n")
    return made


@contextmanager
def soon(change: Callable[[], object]) -> Iterator[None]:
    """Make a change while something waits for it."""
    timer = threading.Timer(0.3, change)
    timer.start()
    yield
    timer.join()


def waited(directory: Path, change: Callable[[], object], *files: str) -> bool:
    """Whether a change is seen long before files are looked at anyway."""
    known = files_state(directory, files)
    began = monotonic()
    with soon(change):
        now = wait_for_change(directory, files, known, LONG)
    assert monotonic() - began < LONG / 2
    return now != known and now == files_state(directory, files)


def rewritten(path: Path) -> Callable[[], object]:
    return lambda: path.write_text("[other]\n")


def renamed_over(path: Path) -> Callable[[], object]:
    def change() -> None:
        new = path.with_name("new")
        new.write_text("[udp]\n")
        new.rename(path)

    return change


@pytest.mark.parametrize("name", ["pjsip.conf", "conf.d/north.conf"])
@pytest.mark.parametrize("how", [rewritten, renamed_over])
def test_a_file_that_is_written_or_replaced_is_seen(
    directory: Path, name: str, how: Callable[[Path], Callable[[], object]]
) -> None:
    assert waited(directory, how(directory / name), "pjsip.conf", name)


def test_a_file_that_is_removed_or_added_is_seen(directory: Path) -> None:
    assert waited(directory, (directory / "pjsip.conf").unlink, "pjsip.conf")
    assert waited(directory, rewritten(directory / "conf.d" / "south.conf"), "pjsip.conf")


def test_a_file_behind_a_link_is_seen(directory: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "panel"
    elsewhere.mkdir()
    (elsewhere / "rtp.conf").write_text("[general]\n")
    (directory / "rtp.conf").symlink_to(elsewhere / "rtp.conf")
    assert waited(directory, rewritten(elsewhere / "rtp.conf"), "pjsip.conf", "rtp.conf")


def test_a_directory_that_is_replaced_is_seen(directory: Path) -> None:
    def change() -> None:
        directory.rename(directory.with_name("before"))
        directory.mkdir()
        (directory / "pjsip.conf").write_text("[udp]\n")

    assert waited(directory, change, "pjsip.conf")


def test_a_directory_that_comes_is_seen(tmp_path: Path) -> None:
    assert waited(tmp_path / "asterisk", (tmp_path / "asterisk").mkdir)


def test_without_a_change_it_returns_in_time(directory: Path) -> None:
    known = files_state(directory, ["pjsip.conf"])
    began = monotonic()
    assert wait_for_change(directory, ["pjsip.conf"], known, 0.5) == known
    assert monotonic() - began < LONG / 2


def test_a_change_from_before_is_seen_at_once(directory: Path) -> None:
    known = files_state(directory, ["pjsip.conf"])
    (directory / "pjsip.conf").unlink()
    assert wait_for_change(directory, ["pjsip.conf"], known, LONG) != known


def test_many_writes_are_one_change(directory: Path) -> None:
    path = directory / "pjsip.conf"
    known = files_state(directory, ["pjsip.conf"])

    def change() -> None:
        for number in range(6):
            path.write_text("x" * number)
            threading.Event().wait(0.3)

    with soon(change):
        now = wait_for_change(directory, ["pjsip.conf"], known, LONG)
        written = path.read_text()
    assert written == "xxxxx"
    assert now == files_state(directory, ["pjsip.conf"])
