"""Whoever wants to know is told by a program of theirs, and no failure of it matters."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from geofence.model.chosen import NO_BACKEND
from geofence.model.notes import Note, NoteKind, problem
from geofence.model.plan import Observed, Plan
from geofence.model.ruleset import Ruleset
from geofence.operations import hook as hook_module
from geofence.operations.outcome import told, told_failing, told_healing
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.state.lock import exclusive
from geofence.state.outcomes import Ending
from tests.cli.machine import Machine, machine
from tests.cli.world import COME, japan, japan_later
from tests.lists.bodies import country_json
from tests.support.list_server import status

NOTHING = RunReport(Plan(Ruleset(), Observed()), NO_BACKEND)
"""A run that had nothing to do."""


@pytest.fixture
def fenced(tmp_path: Path) -> Iterator[Machine]:
    """A machine with a fence, whose rules name a program to tell."""
    with machine(tmp_path) as made:
        hook(made, "/bin/sh", "-c", 'cat >> "$0"; echo >> "$0"', str(tmp_path / "told"))
        made.ok("refresh")
        yield made


def hook(where: Machine, *command: str) -> None:
    where.rule("60-notify.toml", f"[notify]\ncommand = {json.dumps(command)}\n")


def listening(directory: Path, *command: str) -> Site:
    """An installation where only what is told matters; by default it is kept in a file."""
    keeping = ("/bin/sh", "-c", 'cat >> "$0"; echo >> "$0"', str(directory / "told"))
    for name in ("rules", "state"):
        (directory / name).mkdir(mode=0o700)
    rule = f"[notify]\ncommand = {json.dumps(command or keeping)}\n"
    (directory / "rules" / "60-notify.toml").write_text(rule)
    site = Site(rules_directory=directory / "rules", state_directory=directory / "state")
    told(site, "refresh", lambda: NOTHING)
    return site


def told_so_far(directory: Path) -> list[str]:
    """The events."""
    return [json.loads(line)["event"] for line in (directory / "told").read_text().splitlines()]


def heard(where: Machine) -> list[Any]:
    """What the program was told so far."""
    path = where.directory / "told"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def events(where: Machine) -> list[tuple[str, str, int]]:
    return [(each["event"], each["command"], each["exit_code"]) for each in heard(where)]


def test_runs_without_news_do_not_run_the_hook(fenced: Machine) -> None:
    fenced.ok("apply")
    fenced.ok("restore")
    assert fenced.run("allow", "nobody").code == 2
    with exclusive(fenced.state, 0):
        assert fenced.run("--lock-wait", "0", "apply").code == 4
    assert heard(fenced) == []


def test_each_failure_runs_the_hook_and_the_recovery_once(fenced: Machine) -> None:
    fenced.serve("JP", status(403))
    for _ in range(2):
        assert fenced.run("refresh").code == 5
    fenced.serve("JP", japan())
    fenced.ok("refresh")
    fenced.ok("refresh")
    assert events(fenced) == [
        ("degraded", "refresh", 5),
        ("degraded", "refresh", 5),
        ("recovered", "refresh", 0),
    ]
    first, _, last = heard(fenced)
    assert first["state_directory"] == str(fenced.state)
    assert "403 (Forbidden)" in first["message"]
    assert first["message"] in last["message"]
    assert first["at"].endswith("+00:00")


def test_a_refusal_of_a_check_runs_the_hook(tmp_path: Path) -> None:
    with machine(tmp_path) as made:
        hook(made, "/bin/sh", "-c", 'cat >> "$0"; echo >> "$0"', str(tmp_path / "told"))
        made.serve("JP", country_json("JP", ["133.0.0.0/16"]))
        assert made.run("refresh").code == 3
        assert events(made) == [("refused", "refresh", 3)]
        assert "--accept first-run=JP" in heard(made)[0]["message"]


def test_an_unexpected_exception_runs_the_hook_and_is_raised_again(tmp_path: Path) -> None:
    site = listening(tmp_path)

    def stumble() -> RunReport:
        raise ZeroDivisionError("https://example.org/?token=secret")

    with pytest.raises(ZeroDivisionError):
        told(site, "refresh", stumble)
    last = site.journal.outcome()
    assert last
    assert (last.command, last.ending) == ("refresh", Ending.FAILED)
    assert re.match(
        r"An unexpected ZeroDivisionError \(geofence/operations/outcome\.py:\d+\) ended it\. ",
        last.message,
    )
    assert told_so_far(tmp_path) == ["failed"]
    assert "secret" not in (tmp_path / "told").read_text()


def test_an_absurd_retry_after_delays_only_its_list(fenced: Machine) -> None:
    never = status(503, retry_after="Mon, 01 Jan 99999999999999999999 00:00:00 GMT")
    url = fenced.server.on("/bl.txt", never)
    fenced.rule("61-blocklist.toml", f'[blocklist.mine]\nurl = "{url}"\n')
    fenced.serve("JP", japan_later())
    assert fenced.run("refresh").code == 5
    assert fenced.gets_in(COME) == [True]
    assert events(fenced) == [("degraded", "refresh", 5)]
    assert f"{url}: HTTP 503 (Service Unavailable)" in heard(fenced)[0]["message"]


def test_the_hook_of_the_last_valid_rules_hears_of_invalid_ones(fenced: Machine) -> None:
    wrong = fenced.rule("60-notify.toml", "[alow]\n")
    assert fenced.run("refresh").code == 2
    assert events(fenced) == [("failed", "refresh", 2)]
    assert str(wrong) in heard(fenced)[0]["message"]


def test_a_restore_does_not_end_the_failure_of_a_source(fenced: Machine) -> None:
    fenced.serve("JP", status(403))
    assert fenced.run("refresh").code == 5
    fenced.serve("JP", japan())
    fenced.ok("restore")
    fenced.ok("apply")

    last = fenced.ok("status", "--json").json["last_run"]
    assert (last["command"], last["ending"]) == ("apply", "done")
    [bad] = last["unresolved"]
    assert (bad["command"], bad["ending"]) == ("refresh", "degraded")
    assert "403 (Forbidden)" in bad["message"]
    assert bad["at"] < last["at"]
    assert "\nUnresolved (refresh): " in fenced.ok("status").out
    assert events(fenced) == [("degraded", "refresh", 5)]

    fenced.ok("refresh")
    fenced.ok("refresh")
    assert events(fenced) == [("degraded", "refresh", 5), ("recovered", "refresh", 0)]
    assert "Unresolved" not in fenced.ok("status").out
    assert fenced.ok("status", "--json").json["last_run"]["unresolved"] == []


def test_a_restore_does_not_end_the_failure_of_rules(fenced: Machine) -> None:
    wrong = fenced.rule("70-wrong.toml", "[alow]\n")
    assert fenced.run("apply").code == 2
    fenced.ok("restore")
    assert events(fenced) == [("failed", "apply", 2)]
    wrong.unlink()
    fenced.ok("apply")
    assert events(fenced) == [("failed", "apply", 2), ("recovered", "apply", 0)]


def test_a_failed_last_run_is_shown_once(fenced: Machine) -> None:
    fenced.serve("JP", status(403))
    assert fenced.run("refresh").code == 5
    said = fenced.ok("status").out
    assert "Last run (refresh): degraded " in said
    assert "Unresolved" not in said


@pytest.mark.parametrize(
    ("bad", "done", "over"),
    [
        ("refresh", "restore", False),
        ("refresh", "apply", False),
        ("refresh", "rollback", False),
        ("refresh", "refresh", True),
        ("apply", "restore", False),
        ("apply", "allow", True),
        ("rollback", "apply", True),
        ("apply", "refresh", True),
        ("restore", "restore", True),
        ("restore", "apply", True),
        ("restore", "refresh", True),
    ],
)
def test_a_failure_is_over_with_a_run_of_the_same_reach(
    tmp_path: Path, bad: str, done: str, over: bool
) -> None:
    site = listening(tmp_path)
    told(site, bad, lambda: replace(NOTHING, degraded=True))
    told(site, done, lambda: NOTHING)
    assert told_so_far(tmp_path) == ["degraded", *(["recovered"] if over else [])]
    last = site.journal.outcome()
    assert last is not None
    assert (last.command, last.ending) == (done, Ending.DONE)
    assert [each.command for each in last.unresolved] == ([] if over else [bad])


def test_a_recovery_is_reported_once_all_failures_are_over(tmp_path: Path) -> None:
    site = listening(tmp_path)
    for command in ("refresh", "apply", "apply", "restore"):
        told(site, command, lambda: replace(NOTHING, degraded=True, notes=(problem("So it is."),)))
    assert told_failing(site, "One thing.") == ()
    bad = [*["degraded"] * 4, "failed"]
    known = site.journal.outcome()
    assert known is not None
    assert [each.command for each in known.unresolved] == ["refresh", "apply", "restore"]
    for command in ("restore", "apply"):
        told(site, command, lambda: NOTHING)
    assert told_failing(site, "") == ()
    assert told_so_far(tmp_path) == bad
    for _ in range(2):
        told(site, "refresh", lambda: NOTHING)
    assert told_so_far(tmp_path) == [*bad, "recovered"]


def test_a_working_repair_is_not_a_recovery_while_a_refresh_fails(tmp_path: Path) -> None:
    site = listening(tmp_path)
    told(site, "refresh", lambda: replace(NOTHING, degraded=True))
    for why in ("One thing.", ""):
        assert told_failing(site, why) == ()
    assert told_so_far(tmp_path) == ["degraded", "failed"]
    told(site, "refresh", lambda: NOTHING)
    assert told_so_far(tmp_path) == ["degraded", "failed", "recovered"]


def test_a_repair_of_the_daemon_runs_the_hook(fenced: Machine) -> None:
    site = Site(rules_directory=fenced.rules, state_directory=fenced.state)
    assert told_healing(site) == told_healing(site) == ()
    assert [(each["event"], each["healed"]) for each in heard(fenced)] == [
        ("healed", 1),
        ("healed", 2),
    ]


def test_a_failing_repair_of_the_daemon_is_reported_once_and_its_end(fenced: Machine) -> None:
    site = Site(rules_directory=fenced.rules, state_directory=fenced.state)
    for why in ("", "One thing.", "Another thing.", "", ""):
        assert told_failing(site, why) == ()
    assert events(fenced) == [("failed", "watch", 1), ("recovered", "watch", 0)]
    assert [each["message"] for each in heard(fenced)] == [
        "The fence cannot be repaired: One thing.",
        "After: One thing.",
    ]


def test_a_manual_apply_ends_a_failing_repair(fenced: Machine) -> None:
    site = Site(rules_directory=fenced.rules, state_directory=fenced.state)
    assert told_failing(site, "One thing.") == ()
    fenced.ok("apply")
    last = site.journal.outcome()
    assert last is not None
    assert last.failing == ""
    assert told_failing(site, "") == ()
    assert events(fenced) == [("failed", "watch", 1), ("recovered", "apply", 0)]
    assert heard(fenced)[-1]["message"] == "After: One thing."


UNCONFIRMED = re.compile(
    r"The last change was not confirmed by [0-9:]{8} UTC and was undone\. "
    r"The rules still say the same: edit them, or run 'geofence apply' again\."
)


def probation(where: Machine, within: str) -> Path:
    """Put a change on probation that nobody is going to confirm."""
    where.rule("70-mine.toml", "[allow]\ncountries = []\n")
    where.ok("apply", "--confirm-within", within, "--accept", "shut-out")
    return where.state / "probation.json"


def await_events(where: Machine, wanted: list[tuple[str, str, int]]) -> None:
    deadline = monotonic() + 60
    while events(where) != wanted:
        assert monotonic() < deadline, events(where)
        sleep(0.05)


def test_a_missing_confirmation_is_reported_until_the_next_apply(fenced: Machine) -> None:
    waiting = probation(fenced, "5s")
    failed, recovered = ("failed", "apply", 1), ("recovered", "apply", 0)
    await_events(fenced, [failed])
    assert not waiting.exists()
    assert UNCONFIRMED.fullmatch(heard(fenced)[0]["message"])
    assert re.search(
        rf"^Last run \(apply\): failed .* ago\. {UNCONFIRMED.pattern}$",
        fenced.ok("status").out,
        re.MULTILINE,
    )
    fenced.ok("restore")
    assert UNCONFIRMED.search(fenced.ok("status").out)
    fenced.ok("apply", "--accept", "shut-out")
    assert events(fenced) == [failed, recovered]
    assert "not confirmed" not in fenced.ok("status").out


def test_a_late_confirmation_is_reported(fenced: Machine) -> None:
    waiting = probation(fenced, "1m")
    over(waiting)
    assert fenced.run("confirm").code == 2
    assert events(fenced) == [("failed", "apply", 1)]
    assert UNCONFIRMED.search(fenced.ok("status").out)


@pytest.mark.parametrize("verb", [("restore",), ("rollback", "1")])
def test_every_verb_that_reverts_records_the_missing_confirmation(
    fenced: Machine, verb: tuple[str, ...]
) -> None:
    over(probation(fenced, "1m"))
    fenced.ok(*verb)
    [bad] = fenced.ok("status", "--json").json["last_run"]["unresolved"]
    assert (bad["command"], bad["ending"]) == ("apply", "failed")
    assert UNCONFIRMED.fullmatch(bad["message"])


def test_a_removed_pending_fence_is_not_recorded_as_unconfirmed(fenced: Machine) -> None:
    waiting = probation(fenced, "1m")
    fenced.ok("remove")
    assert not waiting.exists()
    fenced.ok("restore")
    assert "not confirmed" not in fenced.ok("status").out


def test_a_failed_return_to_the_previous_state_is_reported(fenced: Machine) -> None:
    probation(fenced, "5s")
    fenced.generations()[0].write_bytes(b"damaged")
    await_events(fenced, [("failed", "apply", 1)])
    said = heard(fenced)[0]["message"]
    assert said.startswith("The return to the previous fence failed: The last change was ")
    assert said.endswith("The last change stays in force.")
    assert said in fenced.ok("status").out


def over(waiting: Path) -> None:
    """Let the time to confirm be over, before the watchman knows."""
    facts = json.loads(waiting.read_text(encoding="utf-8"))
    waiting.write_text(json.dumps({**facts, "until": 0.0}), encoding="utf-8")


def test_background_processes_of_the_hook_do_not_delay_the_run(tmp_path: Path) -> None:
    left = tmp_path / "left"
    site = listening(tmp_path, "/bin/sh", "-c", 'sleep 100 & echo $! > "$0"', str(left))
    began = monotonic()
    try:
        assert told_healing(site) == ()
        assert monotonic() - began < 10
    finally:
        os.kill(int(left.read_text()), signal.SIGKILL)


def test_a_hanging_hook_is_stopped_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook_module, "_HOOK_SECONDS", 1)  # half a minute is long for a test
    left = tmp_path / "left"
    site = listening(tmp_path, "/bin/sh", "-c", 'sleep 100 & echo $! > "$0"; wait', str(left))
    [said] = told_healing(site)
    assert said == Note(NoteKind.HOOK_STOPPED, "/bin/sh", {"seconds": 1})
    until = monotonic() + 10
    while _runs(int(left.read_text())):
        assert monotonic() < until


def _runs(process: int) -> bool:
    """Whether it is there, and not just waiting for somebody to hear of its end."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_of_a_program_that_says_much_the_end_is_quoted(tmp_path: Path) -> None:
    script = "seq 100000 >&2; echo what matters >&2; exit 7"
    [said] = told_healing(listening(tmp_path, "/bin/sh", "-c", script))
    assert (said.kind, said.data["exit_code"]) == (NoteKind.HOOK_FAILED, 7)
    assert str(said.data["message"]).endswith("what matters")
    assert len(str(said.data["message"])) <= 1_000


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("/nonexistent/tell",), "[notify] command could not be run: "),
        (
            ("/bin/sh", "-c", "echo no mail today >&2; exit 7"),
            "ended with exit code 7: no mail today",
        ),
        (("/bin/sh", "-c", r"printf '\377\376' >&2; exit 7"), "ended with exit code 7: "),
    ],
    ids=["missing", "failing", "no text"],
)
def test_a_program_that_fails_is_named_and_changes_nothing_else(
    fenced: Machine, command: tuple[str, ...], said: str
) -> None:
    hook(fenced, *command)
    fenced.serve("JP", status(403))
    done = fenced.run("refresh")
    assert done.code == 5
    assert said in done.err


def test_no_shell_reads_the_command(fenced: Machine) -> None:
    harmful = f"$(touch {shlex.quote(str(fenced.directory / 'touched'))}); * | '"
    program = fenced.directory / "program"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "${0%/*}/arguments"\n')
    program.chmod(0o755)
    hook(fenced, str(program), harmful, "second")
    fenced.serve("JP", status(403))
    assert fenced.run("refresh").code == 5
    assert (fenced.directory / "arguments").read_text().splitlines() == [harmful, "second"]
    assert not (fenced.directory / "touched").exists()
