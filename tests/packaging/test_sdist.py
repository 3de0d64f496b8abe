"""What PyPI would get."""

from __future__ import annotations

import email
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.walk.system import tracked_files

TOP = Path(__file__).parents[2]
BUILD = "import sys; import setuptools.build_meta as made; getattr(made, sys.argv[1])(sys.argv[2])"


def build(what: str, sources: Path, into: Path) -> Path:
    into.mkdir(exist_ok=True)
    command = [sys.executable, "-c", BUILD, what, str(into)]
    done = subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = into.iterdir()
    return made


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sdist")
    for name in tracked_files():
        target = place / "sources" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((TOP / name).read_bytes())
        target.chmod((TOP / name).stat().st_mode)
    return build("build_sdist", place / "sources", place / "made")


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(place, filter="data")
    (top,) = place.iterdir()
    return top


def test_the_sdist_has_all_that_the_project_has(unpacked: Path) -> None:
    held = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    hidden = {name for name in tracked_files() if name.startswith(".")}
    assert set(tracked_files()) - held - hidden == set()
    made = {name for name in held if ".egg-info/" in name} | {"PKG-INFO", "setup.cfg"}
    assert held - set(tracked_files()) == made


def test_a_wheel_of_the_sdist_is_pure_and_whole(unpacked: Path, tmp_path: Path) -> None:
    wheel = build("build_wheel", unpacked, tmp_path / "made")
    assert wheel.name.endswith("-py3-none-any.whl")
    held = {name.partition(".data/data/")[2] or name for name in zipfile.ZipFile(wheel).namelist()}
    folders = {"rules.d": "share/geofence/", "cron": "share/geofence/", "geofence": ""}
    for folder, beneath in folders.items():
        names = [name for name in tracked_files() if name.startswith(f"{folder}/")]
        assert names
        assert {f"{beneath}{name}" for name in names if not name.endswith(".po")} <= held


def test_the_metadata_is_what_an_index_takes(unpacked: Path) -> None:
    said = email.message_from_string((unpacked / "PKG-INFO").read_text(encoding="utf-8"))
    assert said["Name"] == "geofence"
    assert said["License-Expression"] == "MIT"
    assert said["Description-Content-Type"] == "text/markdown"
    assert said["Requires-Python"] == ">=3.11"
    assert not [need for need in said.get_all("Requires-Dist", []) if "@" in need]
    assert str(said.get_payload()).startswith("# geofence")
