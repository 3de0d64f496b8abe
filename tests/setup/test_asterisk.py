"""Where Asterisk's configuration is found: here, in a container's bind mount, or nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from geofence.model.prefixes import AddressSpace
from geofence.setup import asterisk
from geofence.setup.asterisk import find_asterisk
from tests.setup.found import SHIPPED, TRUNK

NOWHERE = AddressSpace()


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Processes, one of which is an Asterisk in a mount namespace of its own."""
    process = tmp_path / "proc" / "77"
    inside = process / "root" / "etc" / "asterisk"
    inside.mkdir(parents=True)
    (process / "ns").mkdir()
    (process / "ns" / "mnt").touch()
    monkeypatch.setattr(asterisk, "program_name", lambda _: "asterisk")
    monkeypatch.setattr(asterisk, "DIRECTORY", Path("/etc/asterisk"))
    return tmp_path / "proc"


def mounted(proc: Path, source: Path) -> None:
    """Say that the container's configuration is a directory of this host."""
    inside = proc / "77" / "root" / "etc" / "asterisk"
    inside.rmdir()
    inside.symlink_to(source)
    escaped = str(source).replace(" ", "\\040")
    (proc / "77" / "mountinfo").write_text(
        "1 2 0:3 / / rw - overlay overlay rw\n"
        f"4 1 8:1 {escaped} /etc/asterisk rw - ext4 /dev/a rw\n"
    )


def test_a_bind_mount_is_found_by_its_source(proc: Path, tmp_path: Path) -> None:
    source = tmp_path / "pbx data"
    source.mkdir()
    (source / "pjsip.conf").write_text(TRUNK)
    mounted(proc, source)
    found = find_asterisk(None, SHIPPED, NOWHERE, proc)
    assert found.directory == source
    assert found.derived
    assert not found.hidden


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory to another user")
@pytest.mark.parametrize("usual", [False, True])
def test_the_directory_of_another_user_is_not_taken_for_a_containers(
    proc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usual: bool
) -> None:
    """Whoever is on the host may call a program asterisk, and mount what it likes."""
    theirs = tmp_path / "home" / "asterisk"
    here = tmp_path / "usual"
    for each in (theirs, here):
        each.mkdir(parents=True)
        (each / "pjsip.conf").write_text(TRUNK)
    os.chown(theirs.parent, 65534, 65534)
    mounted(proc, theirs)
    monkeypatch.setattr(asterisk, "DIRECTORY", here if usual else tmp_path / "none")
    text = (proc / "77" / "mountinfo").read_text()
    (proc / "77" / "mountinfo").write_text(text.replace("/etc/asterisk", str(asterisk.DIRECTORY)))
    place = proc / "77" / "root" / asterisk.DIRECTORY.relative_to("/")
    place.parent.mkdir(parents=True)
    place.symlink_to(theirs)
    found = find_asterisk(None, SHIPPED, NOWHERE, proc)
    assert (found.directory, found.hidden) == (here if usual else None, ("77",))


def test_a_configuration_within_an_image_is_told(proc: Path) -> None:
    (proc / "77" / "mountinfo").write_text("1 2 0:3 / / rw - overlay overlay rw\n")
    found = find_asterisk(None, SHIPPED, NOWHERE, proc)
    assert found.hidden == ("77",)


def test_another_directory_of_that_name_is_not_taken(proc: Path, tmp_path: Path) -> None:
    (proc / "77" / "mountinfo").write_text(
        f"4 1 8:1 {tmp_path} /etc/asterisk rw - ext4 /dev/a rw\n"
    )
    assert find_asterisk(None, SHIPPED, NOWHERE, proc).hidden == ("77",)


def test_a_named_directory_counts_alone(proc: Path, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "pjsip.conf").write_text(TRUNK)
    found = find_asterisk(tmp_path / "etc", SHIPPED, NOWHERE, proc)
    assert found.directory == tmp_path / "etc"
    assert not found.hidden


def test_a_directory_that_went_is_told_and_stays_the_one(proc: Path, tmp_path: Path) -> None:
    found = find_asterisk(tmp_path / "nowhere", SHIPPED, NOWHERE, proc)
    assert (found.directory, found.reading) == (tmp_path / "nowhere", None)
    assert found.unread


def test_an_asterisk_of_this_host_is_where_it_always_is(
    proc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = proc / "77" / "ns" / "mnt"
    link.unlink()
    link.symlink_to("/proc/self/ns/mnt")
    usual = tmp_path / "usual"
    usual.mkdir()
    (usual / "pjsip.conf").write_text(TRUNK)
    monkeypatch.setattr(asterisk, "DIRECTORY", usual)
    found = find_asterisk(None, SHIPPED, NOWHERE, proc)
    assert (found.directory, found.hidden) == (usual, ())
