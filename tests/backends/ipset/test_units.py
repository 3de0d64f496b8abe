"""What geofence's own units may do with ipset, by the files of a system."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from geofence.backends import registry
from geofence.backends.ipset import units

CRON = Path(__file__).parents[3] / "cron"
DROP_IN = "geofence-.service.d/ipset.conf"
WITHOUT = "[Service]\nCapabilityBoundingSet=CAP_NET_ADMIN\n"
WITH = "[Service]\nCapabilityBoundingSet=CAP_NET_RAW\n"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The units of a system, as 'bootstrap install' puts them there."""
    monkeypatch.setattr(units, "ROOT", tmp_path)
    shutil.copytree(CRON, tmp_path / "etc/systemd/system")
    return tmp_path / "etc/systemd/system"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_units_as_installed_may_use_ipset(system: Path) -> None:
    assert (system / DROP_IN).is_file()
    assert units.obstacle() is None


def test_without_units_the_backend_is_available(system: Path) -> None:
    shutil.rmtree(system)
    assert units.obstacle() is None


def test_units_without_the_drop_in_may_not_use_ipset(system: Path) -> None:
    (system / DROP_IN).unlink()
    said = units.obstacle() or ""
    assert said.startswith(
        "geofence-restore.service may not use ipset, because it lacks CAP_NET_RAW. "
    )
    assert "geofence-.service.d/ipset.conf" in said


def test_a_link_to_dev_null_hides_the_drop_in_of_a_package(system: Path) -> None:
    (system / DROP_IN).unlink()
    write(system.parents[2] / "usr/lib/systemd/system" / DROP_IN, WITH)
    assert units.obstacle() is None
    (system / DROP_IN).symlink_to("/dev/null")
    assert units.obstacle() is not None


def test_one_permitted_unit_is_not_enough(system: Path) -> None:
    (system / DROP_IN).unlink()
    write(system / "geofence-restore.service.d/mine.conf", WITH)
    assert (units.obstacle() or "").startswith("geofence-reassert.service ")


def test_units_that_are_masked_do_not_count(system: Path) -> None:
    (system / DROP_IN).unlink()
    for unit in units.UNITS:
        (system / f"{unit}.service").unlink()
        (system / f"{unit}.service").symlink_to("/dev/null")
    assert units.obstacle() is None


@pytest.mark.parametrize(
    ("settings", "may"),
    [
        ("", True),
        (WITHOUT, False),
        (WITHOUT + WITH, True),
        ("CapabilityBoundingSet=~CAP_SYS_ADMIN", True),
        ("CapabilityBoundingSet=~CAP_NET_RAW CAP_SYS_ADMIN", False),
        (f"{WITH}CapabilityBoundingSet=~CAP_SYS_ADMIN", True),
        (f"{WITH}CapabilityBoundingSet=", False),
        (f"{WITH}CapabilityBoundingSet=~", True),
        (f"{WITH}CapabilityBoundingSet=\nCapabilityBoundingSet=CAP_NET_ADMIN", False),
        (f"{WITH}# CapabilityBoundingSet=", True),
    ],
)
def test_the_lines_of_a_unit_count_together(system: Path, settings: str, may: bool) -> None:
    shutil.rmtree(system)
    write(system / "geofence-refresh.service", settings)
    assert (units.obstacle() is None) == may


def test_a_shell_is_limited_to_the_backend_of_the_units(system: Path) -> None:
    assert registry.load("ipset").obstacle() is None
    (system / DROP_IN).unlink()
    assert "may not use ipset" in (registry.load("ipset").obstacle() or "")
