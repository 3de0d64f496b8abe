"""Whoever wants to know is told by a program of theirs, and no failure of it matters."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geofence.operations.notify import told_failing, told_healing
from geofence.operations.site import Site
from geofence.state.lock import exclusive
from tests.cli.machine import Machine, machine
from tests.cli.world import japan
from tests.lists.bodies import country_json
from tests.support.list_server import status


@pytest.fixture
def fenced(tmp_path: Path) -> Iterator[Machine]:
    """A machine with a fence, whose rules name a program to tell."""
    with machine(tmp_path) as made:
        hook(made, "/bin/sh", "-c", 'cat >> "$0"; echo >> "$0"', str(tmp_path / "told"))
        made.ok("refresh")
        yield made


def hook(where: Machine, *command: str) -> None:
    where.rule("60-notify.toml", f"[notify]\ncommand = {json.dumps(command)}\n")


def heard(where: Machine) -> list[Any]:
    """What the program was told so far."""
    path = where.directory / "told"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def events(where: Machine) -> list[tuple[str, str, int]]:
    return [(each["event"], each["command"], each["exit_code"]) for each in heard(where)]


def test_no_news_is_told_nobody(fenced: Machine) -> None:
    fenced.ok("apply")
    fenced.ok("restore")
    assert fenced.run("allow", "nobody").code == 2
    with exclusive(fenced.state, 0):
        assert fenced.run("--lock-wait", "0", "apply").code == 4
    assert heard(fenced) == []


def test_what_goes_wrong_is_told_each_time_and_that_it_is_over_once(fenced: Machine) -> None:
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


def test_what_a_guard_refuses_is_told(tmp_path: Path) -> None:
    with machine(tmp_path) as made:
        hook(made, "/bin/sh", "-c", 'cat >> "$0"; echo >> "$0"', str(tmp_path / "told"))
        made.serve("JP", country_json("JP", ["133.0.0.0/16"]))
        assert made.run("refresh").code == 3
        assert events(made) == [("refused", "refresh", 3)]
        assert "--accept first-run=JP" in heard(made)[0]["message"]


def test_rules_that_no_longer_load_are_told_to_whom_the_last_ones_named(fenced: Machine) -> None:
    wrong = fenced.rule("60-notify.toml", "[alow]\n")
    assert fenced.run("refresh").code == 2
    assert events(fenced) == [("failed", "refresh", 2)]
    assert str(wrong) in heard(fenced)[0]["message"]


def test_that_the_daemon_healed_is_told(fenced: Machine) -> None:
    site = Site(rules_directory=fenced.rules, state_directory=fenced.state)
    assert told_healing(site) == told_healing(site) == ()
    assert [(each["event"], each["healed"]) for each in heard(fenced)] == [
        ("healed", 1),
        ("healed", 2),
    ]


def test_that_the_daemon_cannot_heal_is_told_once_and_that_it_can_again(fenced: Machine) -> None:
    site = Site(rules_directory=fenced.rules, state_directory=fenced.state)
    for why in ("", "One thing.", "Another thing.", "", ""):
        assert told_failing(site, why) == ()
    assert events(fenced) == [("failed", "watch", 1), ("recovered", "watch", 0)]
    assert [each["message"] for each in heard(fenced)] == [
        "The fence cannot be put right: One thing.",
        "After: One thing.",
    ]


def test_who_puts_right_what_the_daemon_could_not_ends_its_failing(fenced: Machine) -> None:
    site = Site(rules_directory=fenced.rules, state_directory=fenced.state)
    assert told_failing(site, "One thing.") == ()
    fenced.ok("apply")
    last = site.journal.outcome()
    assert last is not None
    assert last.failing == ""
    assert told_failing(site, "") == ()
    assert events(fenced) == [("failed", "watch", 1), ("recovered", "apply", 0)]
    assert heard(fenced)[-1]["message"] == "After: One thing."


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("/nonexistent/tell",), "[notify] command could not be run: "),
        (("/bin/sh", "-c", "echo no mail today >&2; exit 7"), "ended with 7: no mail today"),
        (("/bin/sh", "-c", r"printf '\377\376' >&2; exit 7"), "ended with 7: "),
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
