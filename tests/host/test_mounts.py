"""Volumes of a pod: whose directories look as if everybody could write them, and are trusted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.host.mounts import parse_mounts
from tests.cli.machine import ROOT
from tests.support.config_map import WRAPPER, ConfigMapVolume

READ = """
import sys
from pathlib import Path
from geofence.errors import RulesError
from geofence.policy import load_policy
try:
    print(load_policy([Path(sys.argv[1])]).countries)
except RulesError as error:
    print(error)
"""
RULES = '[allow]\ncountries = ["JP"]\n'
WRITABLE = ("unshare", "--mount", "sh", "-c", 'mount --bind "$VOLUME" "$AT" && exec "$0" "$@"')


def read(volume: Path, at: Path, wrapper: tuple[str, ...] = WRAPPER) -> str:
    """What the rules say that are mounted there, or why they are not read."""
    at.mkdir(exist_ok=True)
    done = subprocess.run(
        [*wrapper, sys.executable, "-c", READ, str(at)],
        env={**os.environ, "VOLUME": str(volume), "AT": str(at), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return done.stdout


@pytest.fixture
def volume(tmp_path: Path) -> ConfigMapVolume:
    made = ConfigMapVolume(tmp_path / "kubelet")
    made.write({"10-mine.toml": RULES})
    return made


def test_the_volume_of_a_config_map_is_trusted(volume: ConfigMapVolume, tmp_path: Path) -> None:
    assert read(volume.path, tmp_path / "rules") == "('JP',)\n"
    volume.write({"20-other.toml": RULES.replace("JP", "DE")})
    assert read(volume.path, tmp_path / "rules") == "('DE',)\n"


def test_it_is_not_where_the_container_could_write_it(
    volume: ConfigMapVolume, tmp_path: Path
) -> None:
    said = read(volume.path, tmp_path / "rules", WRITABLE)
    assert "can be written by everyone" in said


@pytest.mark.parametrize("kind", ["kubernetes.io~empty-dir", "kubernetes.io~csi", "shared"])
def test_other_volumes_that_everybody_can_write_are_not_trusted(
    volume: ConfigMapVolume, tmp_path: Path, kind: str
) -> None:
    another = volume.path.parent.parent / kind / "rules"
    another.parent.mkdir()
    volume.path.rename(another)
    assert "can be written by everyone" in read(another, tmp_path / "rules")


def test_a_config_map_of_another_user_is_not_trusted(
    volume: ConfigMapVolume, tmp_path: Path
) -> None:
    if os.geteuid():
        pytest.skip("needs root, to give a file away")
    os.chown(volume.path, 54321, 0)
    assert "belongs to the user number 54321" in read(volume.path, tmp_path / "rules")


def test_a_file_in_it_that_everybody_can_write_is_not_trusted(
    volume: ConfigMapVolume, tmp_path: Path
) -> None:
    (volume.path / "10-mine.toml").resolve().chmod(0o666)
    assert "can be written by everyone" in read(volume.path, tmp_path / "rules")


def test_mounts_are_read_with_escaped_names() -> None:
    text = (
        "22 1 0:21 / / rw,relatime shared:1 - overlay overlay rw\n"
        "310 22 8:1 /var/lib/k\\040s/x /etc/geofence/rules.d ro,relatime - ext4 /dev/sda1 rw\n"
    )
    found = parse_mounts(text)
    assert found[310] == ("/var/lib/k s/x", True)
    assert not found[22].read_only


@given(st.text())
def test_what_is_no_list_of_mounts_is_no_mount(text: str) -> None:
    assert all(isinstance(number, int) for number in parse_mounts(text))
