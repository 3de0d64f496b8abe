from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from geofence.errors import BusyError, StateError
from geofence.state.lock import exclusive

_HOLD = """\
import sys
from pathlib import Path
from geofence.state.lock import exclusive
with exclusive(Path(sys.argv[1]), 0):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def another_process(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until it gets a line."""
    command = [sys.executable, "-c", _HOLD, str(directory)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_free_lock_is_acquired_at_once_and_again(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path, 0):
            pass


def test_a_busy_lock_names_directory_and_waiting_time(tmp_path: Path) -> None:
    with another_process(tmp_path), pytest.raises(BusyError) as busy, exclusive(tmp_path, 0.1):
        pass
    assert str(busy.value) == (
        f"Another geofence process is using {tmp_path}. Gave up after 0.1 seconds. "
        "Try again when it has finished."
    )


def test_a_second_process_waits_for_the_first(tmp_path: Path) -> None:
    with another_process(tmp_path) as first:
        assert first.stdin is not None
        ends = threading.Timer(0.1, first.communicate, ["go on\n"])
        ends.start()
        with exclusive(tmp_path, 60):
            assert first.wait() == 0
        ends.join()


def test_a_killed_holder_leaves_no_lock_behind(tmp_path: Path) -> None:
    with another_process(tmp_path) as first:
        first.kill()
        first.wait()
        with exclusive(tmp_path, 0):
            pass


def test_an_error_releases_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path, 0):
        raise ZeroDivisionError
    with exclusive(tmp_path, 0):
        pass


def test_a_child_of_the_holder_does_not_keep_the_lock(tmp_path: Path) -> None:
    with exclusive(tmp_path, 0):
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    with child, exclusive(tmp_path, 0):
        assert child.poll() is None
        child.kill()


def test_two_directories_have_two_locks(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with exclusive(tmp_path, 0), exclusive(other, 0):
        pass


def test_a_directory_that_is_not_written_to_can_be_locked(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with exclusive(tmp_path, 0):
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["missing", "file"])
def test_only_a_directory_can_be_locked(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=name), exclusive(tmp_path / name, 0):
        pass
