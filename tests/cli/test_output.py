"""What the command line says about itself, and where what it says goes."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess

import pytest
from rich.cells import cell_len

from geofence import __version__
from geofence.cli.app import app, verb_in
from geofence.screen import Screen
from tests.cli.machine import Machine, ended
from tests.support.list_server import redirect, status
from tests.support.terminals import said_at

COMMANDS = sorted(
    command.name or command.callback.__name__
    for command in app.registered_commands
    if command.callback is not None and not command.hidden
)
DIRECTORIES = ("GEOFENCE_RULES_DIR", "GEOFENCE_STATE_DIR", "GEOFENCE_BACKEND")


def test_the_version(settled: Machine) -> None:
    done = ended(settled.start("--version"))
    assert (done.code, done.out, done.err) == (0, f"geofence {__version__}\n", "")


def test_help_names_every_command_and_variable(settled: Machine) -> None:
    done = ended(settled.start("--help"))
    assert done.code == 0
    said = " ".join(done.out.split())
    for command in COMMANDS:
        assert re.search(rf" {command} +[A-Z]", said), command
    for variable in (*DIRECTORIES, "GEOFENCE_LOCK_WAIT", "GEOFENCE_PATIENCE"):
        assert variable in said
    assert "/etc/geofence/rules.d" in said
    assert "watch-probation" not in said


@pytest.mark.parametrize(
    ("arguments", "verb"),
    [
        ("", ""),
        ("restore", "restore"),
        ("--backend nftables restore --json", "restore"),
        ("--backend=nftables why status", "why"),
        ("--rules-dir status plan", "plan"),
        ("--help status plan", ""),
        ("--version plan", ""),
        ("--backend", ""),
        ("aply status", "aply"),
    ],
)
def test_the_verb_is_found_among_options(arguments: str, verb: str) -> None:
    assert verb_in(arguments.split()) == verb


def test_alone_it_shows_its_help(settled: Machine) -> None:
    done = settled.run()
    assert done.code in (0, 2)  # older and newer releases of typer
    assert "Usage: geofence " in done.said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(settled: Machine, command: str) -> None:
    done = settled.ok(command, "--help")
    [usage, summary] = [line.strip() for line in done.out.splitlines() if line.strip()][:2]
    assert usage.startswith(f"Usage: geofence {command} ")
    assert re.fullmatch(r"[A-Z].{20,}", summary)
    assert re.findall(r"Examples?: geofence ([a-z-]+)", done.out) == [command]


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("why", "133.1.2.3"), ("plan", "--full"), ("status", "--json")],
    ids=" ".join,
)
def test_a_closed_pipe_ends_output_silently(settled: Machine, arguments: tuple[str, ...]) -> None:
    with settled.host.entered():
        geofence = subprocess.Popen(
            settled.command(*arguments),
            env=settled.variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    assert geofence.stdout is not None
    assert geofence.stderr is not None
    geofence.stdout.close()
    said = geofence.stderr.read()
    geofence.stderr.close()
    assert geofence.wait() == 0
    assert said == b""


def at_a_terminal(where: Machine, *arguments: str, **environment: str) -> str:
    """What geofence says to a terminal."""
    master, slave = pty.openpty()
    with where.host.entered():
        process = subprocess.Popen(
            where.command(*arguments),
            env={**where.variables(), "TERM": "xterm-256color", **environment},
            stdin=subprocess.DEVNULL,
            stdout=slave,
            stderr=slave,
        )
    os.close(slave)
    said = said_at(master)
    assert process.wait() in (0, 6)
    return said.decode()


def test_a_terminal_gets_colours_and_a_pipe_does_not(settled: Machine) -> None:
    assert "\x1b[32m\x1b[1mThe fence is up as applied." in at_a_terminal(settled, "status")
    assert "\x1b" not in settled.ok("status").said


def test_no_color_is_heeded(settled: Machine) -> None:
    said = at_a_terminal(settled, "status", NO_COLOR="1")
    assert "The fence is up as applied." in said
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", said)


def test_a_dumb_terminal_gets_plain_text(settled: Machine) -> None:
    assert "\x1b" not in at_a_terminal(settled, "plan", TERM="dumb")


def test_progress_is_shown_at_a_terminal_only(settled: Machine) -> None:
    assert "Fetching" in at_a_terminal(settled, "plan")
    assert "Fetching" not in settled.ok("plan").said


def test_square_brackets_of_a_redirect_are_not_markup(one: Machine) -> None:
    url = one.server.on("/bad.txt", redirect("/[/x].txt"))
    one.server.on("/%5B/x%5D.txt", status(503))
    one.rule("60-bad.toml", f'[blocklist.bad]\nurl = "{url}"\n')
    said = at_a_terminal(one, "plan", GEOFENCE_PATIENCE="1")
    assert "Traceback" not in said
    assert "[/x].txt: HTTP 503 (Service Unavailable)" in said


def test_columns_align_beside_wide_characters(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().table(("国", ">数"), [("日本", "1"), ("Germany", "2,200")])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert {cell_len(line) for line in lines} == {len("Germany  2,200")}


def test_json_is_json_at_a_terminal_too(settled: Machine) -> None:
    said = at_a_terminal(settled, "status", "--json")
    assert said.startswith("{\r\n")
    assert "\x1b" not in said


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["latin-1", "ascii", "C"],
)
def test_characters_missing_in_the_encoding_are_replaced(
    one: Machine, environment: dict[str, str]
) -> None:
    one.ok("refresh")
    six = ", ".join(f'"133.0.{octet}.0/24"' for octet in range(0, 12, 2))
    one.rule("60-six.toml", f"[blocklist.six]\nprefixes = [{six}]\n")
    assert "… and 1 more" in one.ok("plan").out
    one.environment.update(environment)
    for arguments in (("plan",), ("allow", "--help")):
        done = ended(one.start(*arguments))
        assert done.code == 0
        assert done.said.isascii()
        assert ("\\u2026" in done.out) is (arguments == ("plan",))


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_json_is_the_same_in_every_encoding(settled: Machine, encoding: str) -> None:
    rules = settled.directory / "rules é…"
    shutil.copytree(settled.rules, rules, dirs_exist_ok=True)
    settled.environment["PYTHONIOENCODING"] = encoding
    try:
        done = ended(settled.start("--rules-dir", str(rules), "why", "45.88.0.7", "--json"))
    finally:
        del settled.environment["PYTHONIOENCODING"]
    assert str(rules) in done.json["verdicts"][0]["because"]


def test_closed_streams_are_tolerated(settled: Machine) -> None:
    settled.wrapper = ("sh", "-c", 'exec "$0" "$@" >&- 2>&-')
    try:
        done = settled.run("status")
    finally:
        settled.wrapper = ()
    assert (done.code, done.said) == (0, "")


@pytest.mark.parametrize("verb", [("status", "--json"), ("history",), ("why", "133.1.2.3")])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_said(
    settled: Machine, unbuffered: str, verb: tuple[str, ...]
) -> None:
    settled.wrapper = ("sh", "-c", 'exec "$0" "$@" >/dev/full')
    settled.environment["PYTHONUNBUFFERED"] = unbuffered
    try:
        done = settled.run(*verb)
    finally:
        settled.wrapper = ()
        del settled.environment["PYTHONUNBUFFERED"]
    assert done.code == 1
    assert "No space left on device" in done.err
    assert done.err.startswith("geofence: cannot write output: ")
