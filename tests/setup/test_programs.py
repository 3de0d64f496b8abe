"""Units and fail2ban's jail, with programs that stand in for systemd's and fail2ban's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from geofence.errors import StateError
from geofence.setup import fail2ban, units
from geofence.setup.carrying_out import take_steps
from geofence.setup.programs import run
from geofence.setup.proposal import Proposal, Step

Standing = Callable[..., Path]


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Standing:
    """Make programs that note how they are called; the file of the calls."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    calls = tmp_path / "calls"

    def make(**codes: int) -> Path:
        for name, code in codes.items():
            program = tmp_path / name.replace("_", "-")
            program.write_text(
                f'#!/bin/sh\necho "{program.name} $*" >> {calls}\n'
                f'echo "no\\033[31m" >&2\nexit {code}\n'
            )
            program.chmod(0o755)
        return calls

    return make


def test_units_are_enabled_for_now_and_for_the_next_boot(standing: Standing) -> None:
    calls = standing(systemctl=0)
    units.enable()
    assert calls.read_text() == (
        "systemctl enable --now geofence-restore.service geofence-refresh.timer\n"
    )


def test_enabled_is_what_systemd_starts(tmp_path: Path) -> None:
    system = tmp_path / "etc/systemd/system"
    system.mkdir(parents=True)
    assert not units.are_installed(tmp_path)
    for name in ("geofence-restore.service", "geofence-refresh.timer"):
        (system / name).touch()
    assert units.are_installed(tmp_path)
    assert not units.are_enabled(tmp_path)
    for name, wants in (
        ("geofence-restore.service", "sysinit.target.wants"),
        ("geofence-refresh.timer", "timers.target.wants"),
    ):
        (system / wants).mkdir()
        (system / wants / name).symlink_to(system / name)
    assert units.are_enabled(tmp_path)


def test_the_jail_is_copied_tested_and_loaded(standing: Standing, tmp_path: Path) -> None:
    calls = standing(fail2ban_client=0, systemctl=0)
    place = tmp_path / "fail2ban"
    (place / "jail.d").mkdir(parents=True)
    mine = place / "jail.d" / "geofence-asterisk.local"
    mine.write_text("[geofence-asterisk]\nlogpath = /var/log/mine\n")
    assert not fail2ban.is_installed(place)
    fail2ban.install(place)
    assert calls.read_text() == "fail2ban-client -t\nsystemctl restart fail2ban\n"
    assert fail2ban.is_installed(place)
    assert (place / "action.d" / "geofence-covering.sh").stat().st_mode & 0o777 == 0o644
    assert mine.read_text().startswith("[geofence-asterisk]")


def test_files_that_fail2ban_refuses_are_taken_back(standing: Standing, tmp_path: Path) -> None:
    calls = standing(fail2ban_client=255, systemctl=0)
    place = tmp_path / "fail2ban"
    older = place / "jail.d" / "geofence-asterisk.conf"
    older.parent.mkdir(parents=True)
    older.write_text("# of an older version\n")
    with pytest.raises(StateError, match="exit code 255"):
        fail2ban.install(place)
    assert calls.read_text() == "fail2ban-client -t\n"
    left = [path for path in place.rglob("*") if path.is_file()]
    assert left == [older]
    assert older.read_text() == "# of an older version\n"


def test_what_a_program_says_cannot_write_to_the_terminal(standing: Standing) -> None:
    standing(systemctl=3)
    with pytest.raises(StateError) as caught:
        units.enable()
    assert str(caught.value).endswith("no?[31m")
    with pytest.raises(StateError, match="could not be run"):
        run(("no-such-program-here",))


def test_a_step_that_fails_stops_no_other(
    standing: Standing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing(fail2ban_client=1, systemctl=0)
    monkeypatch.setattr(
        "geofence.setup.carrying_out._STEPS",
        {
            Step.FAIL2BAN: lambda: fail2ban.install(tmp_path / "fail2ban"),
            Step.UNITS: units.enable,
        },
    )
    notes = tuple(take_steps(Proposal(steps=(Step.FAIL2BAN, Step.UNITS))))
    assert [(note.kind.value, note.subject) for note in notes] == [
        ("setup-step-failed", "fail2ban"),
        ("setup-step-done", "units"),
    ]


def test_the_package_of_fail2ban_itself_is_not_taken_for_geofences_files(
    standing: Standing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = standing(fail2ban_client=0, systemctl=0)
    packages = tmp_path / "site-packages"
    (packages / "fail2ban" / "server").mkdir(parents=True)
    monkeypatch.setattr(fail2ban, "__file__", str(packages / "geofence/setup/fail2ban.py"))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "prefix"))
    assert fail2ban.shipped() == tmp_path / "prefix/share/geofence/fail2ban"
    assert not fail2ban.is_installed(tmp_path / "etc")
    with pytest.raises(StateError, match="Install geofence again"):
        fail2ban.install(tmp_path / "etc")
    assert not calls.exists()
