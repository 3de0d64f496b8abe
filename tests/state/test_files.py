from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from geofence.errors import StateError
from geofence.state.backoff import save_busy
from geofence.state.files import (
    clean_debris,
    ensure_private_directory,
    read_if_there,
    read_trusted,
    write_atomically,
)
from geofence.state.outcomes import Counting, Ending, Journal, RunOutcome
from geofence.state.removal import note_removal
from tests.support.acl import USER, let_write
from tests.support.owners import given_away


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def in_mounted(tmp_path: Path, options: str, program: str) -> subprocess.CompletedProcess[str]:
    """Run a program with the path of a tmpfs of its own, mounted with options."""
    script = f'mount -t tmpfs -o {options} tmpfs "$1" && exec "$2" -c "$3" "$1"'
    shell = ["unshare", "--mount", "sh", "-c", script, "sh"]
    command = [*shell, str(tmp_path), sys.executable, program]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("wanted", [0o600, 0o644])
def test_a_file_is_written_whole_with_its_mode(tmp_path: Path, wanted: int) -> None:
    path = tmp_path / "file"
    for content in (b"old", b"new" * 100_000, b""):
        write_atomically(path, content, wanted)
        assert path.read_bytes() == content
    assert mode(path) == wanted
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_the_umask_does_not_matter(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        write_atomically(tmp_path / "file", b"x", 0o644)
    finally:
        os.umask(before)
    assert mode(tmp_path / "file") == 0o644


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"theirs")
    link = tmp_path / "file"
    link.symlink_to(elsewhere)
    write_atomically(link, b"ours")
    assert elsewhere.read_bytes() == b"theirs"
    assert not link.is_symlink()


def test_an_obstacle_to_a_write_is_named_and_no_debris_stays(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(StateError, match=r"file could not be written: .*Move it away"):
        write_atomically(tmp_path / "file", b"x")
    with pytest.raises(StateError, match="could not be written: No such file"):
        write_atomically(tmp_path / "none" / "file", b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


FULL = """
import sys
from pathlib import Path
from geofence.errors import StateError
from geofence.state.files import write_atomically
path = Path(sys.argv[1], "file")
write_atomically(path, b"old")
try:
    write_atomically(path, b"x" * (1 << 20))
except StateError as error:
    print(error)
print(path.read_bytes(), len(list(path.parent.iterdir())))
"""


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path: Path) -> None:
    done = in_mounted(tmp_path, "size=256k", FULL)
    remedy = "Free some space there. Nothing was changed."
    assert done.stdout.splitlines() == [
        f"{tmp_path}/file could not be written: No space left on device. {remedy}",
        "b'old' 1",
    ], done.stderr


READ_ONLY = """
import sys
from pathlib import Path
from geofence.errors import StateError
from geofence.state.files import *
directory = Path(sys.argv[1])
print(clean_debris(directory), read_if_there(directory / "file"))
try:
    write_atomically(directory / "file", b"old")
except StateError as error:
    print(error)
try:
    ensure_private_directory(directory / "lists")
except StateError as error:
    print(error)
"""


def test_a_read_only_disk_is_named(tmp_path: Path) -> None:
    done = in_mounted(tmp_path, "ro,mode=0700", READ_ONLY)
    remedy = "Make the file system writable, or choose another directory (--state-dir)."
    assert done.stdout.splitlines() == [
        "() None",
        f"{tmp_path}/file could not be written: Read-only file system. {remedy}",
        f"{tmp_path}/lists could not be created: Read-only file system. {remedy}",
    ], done.stderr


KILLED = """
import sys
from pathlib import Path
from geofence.state.files import write_atomically
path = Path(sys.argv[1])
while True:
    for content in (b"a" * 500_000, b"b" * 500_000):
        write_atomically(path, content)
        print(flush=True)
"""


def test_after_a_kill_of_a_writer_the_file_is_the_old_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"a" * 500_000)
    for attempt in range(12):
        command = [sys.executable, "-c", KILLED, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(attempt * 0.0007)
            writer.send_signal(signal.SIGKILL)
        assert path.read_bytes() in (b"a" * 500_000, b"b" * 500_000)
    clean_debris(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_debris_is_cleared_below_and_nothing_else_is(tmp_path: Path) -> None:
    below = tmp_path / "lists"
    below.mkdir()
    (tmp_path / ".geofence-0123.tmp").write_bytes(b"half")
    (below / ".geofence-4567.tmp").write_bytes(b"half")
    for name in (".geofence", "geofence-1.tmp", "other.tmp"):
        (below / name).write_bytes(b"theirs")
    assert clean_debris(tmp_path) == (".geofence-0123.tmp", ".geofence-4567.tmp")
    assert sorted(entry.name for entry in below.iterdir()) == [
        ".geofence",
        "geofence-1.tmp",
        "other.tmp",
    ]
    assert clean_debris(tmp_path) == ()
    assert clean_debris(tmp_path / "none") == ()


def test_written_files_are_read_back(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", b"content")
    assert read_trusted(tmp_path / "file") == b"content"
    assert read_if_there(tmp_path / "file") == b"content"


def test_missing_files(tmp_path: Path) -> None:
    assert read_if_there(tmp_path / "file") is None
    with pytest.raises(StateError, match="could not be read: No such file"):
        read_trusted(tmp_path / "file")


@pytest.mark.parametrize(
    ("bits", "others"), [(0o620, "the group .*"), (0o602, "everyone"), (0o666, "everyone")]
)
def test_a_file_that_others_can_write_is_not_read(tmp_path: Path, bits: int, others: str) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"theirs?")
    path.chmod(bits)
    for read in (read_trusted, read_if_there):
        with pytest.raises(StateError, match=rf"can be written by {others}\. .*chmod go-w"):
            read(path)


def test_a_file_of_another_user_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"theirs")
    with pytest.raises(StateError, match=r"belongs to the user .*\. .*chown root"):
        read_trusted(given_away(path, "/etc/passwd"))


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("link", "directory", "pipe"):
        with pytest.raises(StateError, match="Move it away"):
            read_trusted(tmp_path / name)


def test_refused_files_are_closed(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    before = set(Path("/proc/self/fd").iterdir())
    for name in ("directory", "missing"):
        with pytest.raises(StateError):
            read_trusted(tmp_path / name)
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_a_private_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    path = tmp_path / "var" / "geofence"
    ensure_private_directory(path)
    ensure_private_directory(path)
    assert mode(path) == 0o700


def test_a_directory_that_others_can_look_into_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.mkdir(mode=0o755)
    for name in ("generations", "lists", "lost+found"):
        (path / name).mkdir()
    for name in ("outcome.json", "probation.json", ".geofence-12.tmp"):
        (path / name).touch()
    path.chmod(0o755)
    ensure_private_directory(path)
    assert mode(path) == 0o700


def test_a_directory_that_others_use_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "lib"
    path.mkdir()
    path.chmod(0o755)
    for name in ("dpkg", "lists"):
        (path / name).mkdir()
    with pytest.raises(StateError, match='contains "dpkg", which geofence did not create'):
        ensure_private_directory(path)
    assert mode(path) == 0o755

    path.chmod(0o700)
    ensure_private_directory(path)


def test_a_directory_with_files_of_geofence_only_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.mkdir()
    journal = Journal(path)
    now = datetime(2026, 2, 1, tzinfo=UTC)
    journal.write_counting(Counting(now, "boot"))
    journal.write_outcome(RunOutcome("refresh", Ending.DONE, now))
    note_removal(path)
    save_busy(path, {"lists.example": now})
    path.chmod(0o755)
    ensure_private_directory(path)
    assert mode(path) == 0o700


def test_an_empty_state_dir_does_not_mean_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StateError, match="--state-dir is empty"):
        ensure_private_directory(Path())
    assert mode(tmp_path) == 0o755


@pytest.mark.parametrize("bits", [0o770, 0o707, 0o1777])
def test_a_directory_that_others_can_write_is_refused(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "state"
    path.mkdir()
    path.chmod(bits)
    with pytest.raises(StateError, match=r"can be written by (everyone|the group)"):
        ensure_private_directory(path)
    assert mode(path) == bits


def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    with pytest.raises(StateError, match=r"belongs to the user .*\. "):
        ensure_private_directory(given_away(path, "/etc"))


def test_a_state_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", b"x")
    with pytest.raises(StateError, match="could not be created"):
        ensure_private_directory(tmp_path / "file")


def test_files_below_directories_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "var" / "state"
    ensure_private_directory(path)
    write_atomically(path / "file", b"ours")
    (tmp_path / "var").chmod(0o777)
    told = (
        rf"Others could have exchanged .*state.*: {tmp_path}/var, on the way to it, can be written "
        rf"by everyone\. Check both, then type 'chmod go-w {tmp_path}/var'"
    )
    with pytest.raises(StateError, match=told):
        read_trusted(path / "file")
    with pytest.raises(StateError, match=told):
        ensure_private_directory(path)


def test_a_file_opened_by_an_access_control_list_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"theirs?")
    let_write(path, USER, 12345)
    with pytest.raises(StateError, match=r"written by the user number 12345\. .* 'setfacl -b "):
        read_trusted(path)
