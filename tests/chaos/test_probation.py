"""``apply --confirm-within``: the former state returns by itself, whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from geofence.errors import ExitCode
from tests.chaos.ground import Ground, callers, leaked, lost
from tests.cli.machine import Done, ended

EXTRA = '[service.extra]\nports = ["6000/udp"]\n'
_PATIENCE = 60.0


@pytest.fixture
def changed(standing: Ground) -> Ground:
    """Rules that are not applied yet."""
    standing.machine.rule("60.toml", EXTRA)
    return standing


def is_new(made: Ground) -> bool:
    """Whether what was on probation is in force."""
    return any("extra" in rule for rule in made.observe().rules)


def await_former(made: Ground) -> None:
    """Wait until the former state is back, in kernel and state, and whole."""
    deadline = time.monotonic() + _PATIENCE
    while is_new(made) or made.site.journal.probation() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    made.assert_whole()


def watchmen(made: Ground) -> list[int]:
    """Processes that wait to bring the former state back."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (directory / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"watch-probation" in arguments and str(made.machine.state).encode() in arguments:
            found.append(int(directory.name))
    return found


def kill_watchman(made: Ground) -> None:
    for process in watchmen(made):
        os.kill(process, signal.SIGKILL)
    while watchmen(made):
        time.sleep(0.01)


def edit(made: Ground, **changes: object) -> None:
    """Change what is written down of the probation."""
    path = made.machine.state / "probation.json"
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**facts, **changes}), encoding="utf-8")


SESSION = """
import subprocess, sys
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL)
print(done.returncode, flush=True)
sys.stdin.readline()
"""
"""A login that runs a command and stays: it is the leader of a session and of a process group."""


def test_the_previous_state_returns_after_the_applying_process_ended(changed: Ground) -> None:
    machine = changed.machine
    command = machine.command("apply", "--confirm-within", "5s")
    with changed.lab.pbx.entered():
        session = subprocess.Popen(
            [sys.executable, "-c", SESSION, *command],
            env=machine.variables(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
    with session, changed.lab.stream(callers()) as stream:
        assert session.stdout is not None
        lines = iter(session.stdout.readline, "")
        assert any(line == "0\n" for line in lines)
        assert is_new(changed)
        os.killpg(session.pid, signal.SIGHUP)
        os.killpg(session.pid, signal.SIGKILL)
        session.wait()
        await_former(changed)
        reports = stream.finish()

    assert (lost(reports), leaked(reports)) == (0, 0)
    assert len(machine.generations()) == 1
    machine.ok("status")


def test_a_confirmed_change_stays(changed: Ground) -> None:
    machine = changed.machine
    machine.ok("apply", "--confirm-within", "5s")

    machine.ok("confirm")

    while watchmen(changed):
        time.sleep(0.05)
    assert is_new(changed)
    assert len(machine.generations()) == 2
    changed.assert_whole()
    assert machine.run("confirm").code == ExitCode.USAGE


def test_nothing_else_is_applied_while_it_waits(changed: Ground) -> None:
    machine = changed.machine
    machine.ok("apply", "--confirm-within", "1m")

    for verb in (("refresh",), ("apply",), ("allow", "lab"), ("rollback",)):
        done = machine.run(*verb)
        assert done.code == ExitCode.BUSY
        assert "Run 'geofence confirm'" in done.err
    machine.ok("restore")
    assert is_new(changed)
    machine.ok("confirm")


@pytest.fixture
def unwatched(changed: Ground) -> Ground:
    """What is applied is on probation, and the process that watched over it was killed."""
    changed.machine.ok("apply", "--confirm-within", "1m")
    kill_watchman(changed)
    assert is_new(changed)
    return changed


@pytest.mark.parametrize("verb", ["restore", "rollback"])
def test_where_the_watchman_was_killed_the_next_run_returns(unwatched: Ground, verb: str) -> None:
    machine = unwatched.machine
    machine.ok("confirm")
    (machine.rules / "60.toml").unlink()
    machine.rule("61.toml", EXTRA.replace("6000", "6001"))
    machine.ok("apply", "--confirm-within", "1m")
    kill_watchman(unwatched)
    edit(unwatched, until=0.0)

    machine.ok(verb)

    assert not any("6001" in rule for rule in unwatched.observe().rules)
    unwatched.assert_whole()


def test_a_late_confirmation_is_refused(unwatched: Ground) -> None:
    edit(unwatched, until=0.0)

    late = unwatched.machine.run("confirm")

    assert late.code == ExitCode.USAGE
    assert "Too late to confirm. The change was undone" in late.err
    assert not is_new(unwatched)
    unwatched.assert_whole()


def test_setting_the_clock_back_does_not_prolong_it(unwatched: Ground) -> None:
    edit(unwatched, until=0.0, deadline="2999-01-01T00:00:00+00:00")

    unwatched.machine.ok("restore")

    assert not is_new(unwatched)
    unwatched.assert_whole()


def boot(made: Ground) -> Done:
    """Forget what the kernel holds, be in another boot, and do what a boot does."""
    made.machine.tool("nft", "flush", "ruleset")
    made.machine.tool("ipset", "destroy")
    edit(made, boot="11111111-2222-3333-4444-555555555555")
    return made.machine.run("restore")


def test_after_a_reboot_the_previous_state_is_restored(unwatched: Ground) -> None:
    done = boot(unwatched)

    assert done.code == ExitCode.DONE
    assert "was not confirmed in time. The previous fence was restored" in done.err
    assert not is_new(unwatched)
    unwatched.assert_whole()
    unwatched.assert_fenced()


def test_after_a_reboot_a_damaged_previous_generation_gives_way_to_the_one_before(
    unwatched: Ground,
) -> None:
    machine = unwatched.machine
    machine.ok("confirm")
    machine.ok("allow", "lab")
    machine.rule("61.toml", EXTRA.replace("extra", "more").replace("6000", "6001"))
    machine.ok("apply", "--confirm-within", "1m")
    kill_watchman(unwatched)
    machine.generations()[-2].write_bytes(b"damaged")

    done = boot(unwatched)

    assert done.code == ExitCode.DEGRADED
    assert "was skipped. It is damaged." in done.err
    rules = "".join(unwatched.observe().rules)
    assert "6000" in rules
    assert "6001" not in rules
    unwatched.assert_fenced()


def test_after_a_reboot_without_a_previous_generation_the_fence_is_closed(
    unwatched: Ground,
) -> None:
    unwatched.machine.generations()[0].write_bytes(b"damaged")

    done = boot(unwatched)

    assert done.code == ExitCode.DEGRADED
    assert "Only exceptions and local networks are allowed" in done.err
    assert unwatched.lab.fire(callers().values()) == [None] * 4


def test_after_a_reboot_on_a_read_only_disk_an_unconfirmed_change_stays_undone(
    unwatched: Ground,
) -> None:
    machine = unwatched.machine
    edit(unwatched, boot="11111111-2222-3333-4444-555555555555")
    bind = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    machine.wrapper = ("unshare", "--mount", "sh", "-c", bind, str(machine.state))
    machine.tool("nft", "flush", "ruleset")
    machine.tool("ipset", "destroy")

    done = machine.run("restore")

    assert done.code == ExitCode.DEGRADED
    assert "Make the file system writable" in done.err
    assert not is_new(unwatched)
    unwatched.assert_fenced()


def test_a_kill_before_the_record_still_ends_with_the_previous_state(changed: Ground) -> None:
    """Whenever the applying process dies: what it began on probation goes again by itself."""
    process = changed.machine.start("apply", "--confirm-within", "5s")
    while changed.site.journal.probation() is None:
        time.sleep(0.001)
    while not is_new(changed):
        time.sleep(0.001)
    process.kill()
    ended(process)

    await_former(changed)
    changed.machine.ok("status")


def test_an_unconfirmed_first_apply_ends_without_a_fence(fresh: Ground) -> None:
    machine = fresh.machine
    machine.ok("refresh")
    machine.ok("remove")
    for generation in machine.generations():
        generation.unlink()

    machine.ok("apply", "--confirm-within", "5s")
    fresh.assert_fenced()

    while watchmen(fresh):
        time.sleep(0.05)
    assert fresh.fence() == ({}, (), ())
    assert machine.generations() == []
    assert fresh.lab.fire(callers().values()) == ["pbx"] * 4


def test_confirm_within_is_refused_without_a_usable_generation(
    standing: Ground,
) -> None:
    for generation in standing.machine.generations():
        generation.write_bytes(b"spoilt")
    before = standing.machine.fence()

    refused = standing.machine.run("apply", "--confirm-within", "5s")

    assert refused.code == 1
    assert "no usable record, so geofence could not return to it" in refused.err
    assert "Run 'geofence apply' without --confirm-within" in refused.err
    assert standing.site.journal.probation() is None
    assert standing.machine.fence() == before


def test_an_unconfirmed_change_stays_undone_after_a_removal(changed: Ground) -> None:
    changed.machine.ok("apply", "--confirm-within", "1h")
    assert is_new(changed)
    changed.machine.ok("remove")
    kill_watchman(changed)
    changed.machine.ok("restore")
    assert not is_new(changed)
    changed.assert_whole()


def test_the_watchman_ignores_modules_of_the_current_directory(
    changed: Ground, tmp_path: Path
) -> None:
    lure = tmp_path / "geofence"
    lure.mkdir()
    (lure / "__init__.py").write_text("")
    (lure / "__main__.py").write_text(f"open({str(tmp_path / 'taken')!r}, 'w')")
    machine = changed.machine
    command = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(tmp_path)]
    python, *rest = machine.command("apply", "--confirm-within", "5s")
    with machine.host.entered():
        subprocess.run([*command, python, "-P", *rest], env=machine.variables(), check=True)
    await_former(changed)
    assert not (tmp_path / "taken").exists()
