from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

CRON_FILE = Path(__file__).parents[2] / "cron" / "geofence.cron"


def jobs() -> dict[str, str]:
    """The commands of a system crontab by their time, as cron hands them to the shell."""
    found = {}
    for line in CRON_FILE.read_text().splitlines():
        if match := re.match(r"(@reboot|(?:[\d*/-]+ ){5})\s*root\s+(.*)", line):
            found[match[1].strip()] = match[2]
    return found


DAILY, BOOT, OFTEN, NAMES = "0 2 * * *", "@reboot", "*/2 * * * *", "1-59/2 * * * *"


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    """Programs in place of those that would wait, log and change the host's kernel."""
    programs = {"sleep": 'echo "$@" >>slept', "logger": "cat >>logged"}
    for name, body in programs.items():
        place_stub(tmp_path, name, body)
    return tmp_path


def place_stub(directory: Path, name: str, body: str) -> None:
    (directory / name).write_text(f"#!/bin/sh\n{body}\n")
    (directory / name).chmod(0o755)


def run(job: str, stubs: Path) -> subprocess.CompletedProcess[str]:
    command = job.replace("/usr/local/bin/geofence", f"{stubs}/geofence")
    command = command.replace("/run/", f"{stubs}/")
    environment = {"PATH": f"{stubs}:/usr/bin:/bin"}
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=stubs,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_runs_daily_and_at_boot() -> None:
    assert set(jobs()) == {DAILY, BOOT, OFTEN, NAMES}
    assert "geofence repair --quiet" in jobs()[OFTEN]
    assert "geofence refresh --names-only --unattended" in jobs()[NAMES]
    assert "geofence refresh --unattended" in jobs()[DAILY]
    assert "geofence restore" in jobs()[BOOT]


def test_nothing_in_a_command_is_special_to_cron() -> None:
    assert not [job for job in jobs().values() if "%" in job]


@pytest.mark.parametrize("when", [DAILY, BOOT])
def test_a_good_run_is_logged_and_mails_nothing(when: str, stubs: Path) -> None:
    place_stub(stubs, "geofence", 'echo "$1: all is well"')
    done = run(jobs()[when], stubs)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    assert "all is well" in (stubs / "logged").read_text()


@pytest.mark.parametrize("when", [DAILY, BOOT])
def test_a_failed_run_is_logged_and_mailed(when: str, stubs: Path) -> None:
    place_stub(stubs, "geofence", "echo no route to the source >&2; exit 5")
    done = run(jobs()[when], stubs)
    assert "exit code 5: no route to the source" in done.stdout
    assert "no route to the source" in (stubs / "logged").read_text()


def test_the_daily_run_waits_for_a_random_time(stubs: Path) -> None:
    place_stub(stubs, "geofence", "true")
    for _ in range(3):
        run(jobs()[DAILY], stubs)
    waits = [int(wait) for wait in (stubs / "slept").read_text().split()]
    assert all(0 <= wait <= 3 * 3600 for wait in waits)
    assert len(set(waits)) > 1


def test_a_run_that_hangs_keeps_the_next_from_starting(stubs: Path) -> None:
    lock = stubs / "geofence-cron.lock"
    place_stub(stubs, "geofence", "echo must not run")
    holder = subprocess.Popen(
        ["flock", lock, "sh", "-c", "echo held; read end"], stdin=-1, stdout=-1
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        done = run(jobs()[DAILY], stubs)
        holder.communicate(b"end\n")
    assert "exit code 4" in done.stdout
    assert "must not run" not in done.stdout


@pytest.mark.parametrize("when", [OFTEN, NAMES])
@pytest.mark.parametrize(("says", "logged"), [("", False), ("echo The fence was down", True)])
def test_changes_are_logged_and_nothing_else(
    stubs: Path, when: str, says: str, logged: bool
) -> None:
    place_stub(stubs, "geofence", says)
    done = run(jobs()[when], stubs)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (stubs / "logged").exists() == logged
