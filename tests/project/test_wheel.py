"""What an installation gets that is not an editable one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
SOURCES = ("geofence", "rules.d", "cron", "fail2ban", "pyproject.toml", "README.md", "LICENSE")
BUILD = "import setuptools.build_meta as backend; backend.build_wheel('.')"


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files of a wheel, with what goes below the environment's prefix by its place there."""
    place = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (TOP / name).is_dir():
            shutil.copytree(TOP / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(TOP / name, place)
    done = subprocess.run(
        [sys.executable, "-c", BUILD], cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = place.glob("*.whl")
    return {name.partition(".data/data/")[2] or name for name in zipfile.ZipFile(wheel).namelist()}


@pytest.mark.parametrize("directory", ["rules.d", "cron", "fail2ban"])
def test_what_ships_beside_the_package_is_in_the_wheel(contents: set[str], directory: str) -> None:
    shipped = {
        f"share/geofence/{path.relative_to(TOP)}"
        for path in (TOP / directory).rglob("*")
        if path.is_file()
    }
    assert shipped
    assert shipped <= contents


def test_the_package_is_whole_and_typed(contents: set[str]) -> None:
    modules = {str(path.relative_to(TOP)) for path in (TOP / "geofence").rglob("*.py")}
    compiled = {str(path.relative_to(TOP)) for path in (TOP / "geofence/locales").rglob("*.mo")}
    assert compiled
    assert modules | compiled | {"geofence/py.typed"} <= contents
    assert not [name for name in contents if name.startswith("tests") or name.endswith(".po")]
