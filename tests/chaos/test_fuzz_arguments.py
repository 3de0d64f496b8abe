"""Whatever is typed ends in a documented exit code, and what is wrong changes nothing.

Runs in the test's own process, on a machine of its own. A longer run is
``python -m tests.chaos fuzz``.
"""

from __future__ import annotations

import contextlib
import io
import ipaddress
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.main
from hypothesis import example, given, settings
from hypothesis import strategies as st

from geofence.backends.nftables.connection import NftConnection
from geofence.cli import app as command_line
from geofence.cli.arguments import parse_seconds
from geofence.errors import ExitCode, UsageError
from tests.cli.machine import Done, Machine, machine

VERBS = (
    "plan", "refresh", "apply", "confirm", "history", "rollback", "status", "why", "allow",
    "revoke", "restore", "remove", "atlas",
)  # fmt: skip
"""Those that stay (daemon, demo) or wait are only tried with what is wrong about them."""
OPTIONS = (
    "--json", "--full", "--offline", "--exit-code", "--cut", "--accept", "--port",
    "--confirm-within", "--lock-wait", "--patience", "--backend", "--rules-dir", "--state-dir",
    "--help", "-h", "--version", "--", "-", "-j", "--jso", "--json=yes", "--port=5060/udp",
    "--accept=shrink=JP", "--renew",
)  # fmt: skip
WORDS = (
    "133.1.2.3", "2400:4000::5", "45.9.1.1", "1.2.3", "0x7f.1", "::ffff:1.2.3.4", "::",
    "1.2.3.4/24", "lab", "office", "offices", "home", "bria", "push", "JP", "country JP",
    "shrink=JP", "first-run=JP", "ssh", "live-sources", "5060/udp", "5060", "0/udp", "1-70000/tcp",
    "20-10/udp", "1", "0", "-1", "99999999999999999999999", "1e9", "nan", "inf", "4s", "25h",
    "5", "s", "-5s", "ipset", "pf", "auto", "", " ", "\udcff", "\x1b[2J", "e\u0301", "\u0663",
)  # fmt: skip
GARBAGE = st.text(
    st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), max_size=12
) | st.builds(lambda n: "x" * n, st.sampled_from([255, 256, 5_000]))
TOKENS = st.sampled_from(VERBS) | st.sampled_from(OPTIONS) | st.sampled_from(WORDS) | GARBAGE
LINES = st.builds(
    lambda before, verb, after: [*before, verb, *after],
    st.lists(TOKENS, max_size=3),
    st.sampled_from(VERBS) | GARBAGE,
    st.lists(TOKENS, max_size=4),
).filter(lambda line: not {"daemon", "demo", "watch-probation"} & set(line))


@dataclass(frozen=True)
class Prompt:
    """A place to type at."""

    machine: Machine

    def type(self, line: Sequence[str]) -> Done:
        """Run a command line in this process."""
        out, err = io.StringIO(), io.StringIO()
        before, sys.argv = sys.argv, ["geofence", *line]
        try:
            with (
                self.machine.host.entered(),
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
            ):
                code = _code()
        finally:
            sys.argv = before
        return Done(code, out.getvalue(), err.getvalue())

    def print(self) -> tuple[object, ...]:
        """What must not change: the kernel's count of transactions, rules and records."""
        with self.machine.host.entered(), NftConnection() as netlink:
            transactions = netlink.generation()
        owned = self.machine.owned
        text = owned.read_bytes() if owned.exists() else None
        return transactions, text, self.machine.generations()


def _code() -> int:
    try:
        command_line.main()
    except SystemExit as end:
        assert end.code is None or isinstance(end.code, int)  # noqa: PT017 - it always ends so
        return end.code or 0
    return 0


@pytest.fixture(scope="module")
def prompt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prompt]:
    directory = tmp_path_factory.mktemp("arguments")
    here = directory / "a" / "b" / "c"
    here.mkdir(parents=True)
    with machine(directory, "nftables") as made, pytest.MonkeyPatch.context() as patch:
        made.ok("refresh")
        patch.chdir(here)
        for name in list(os.environ):
            if name.startswith(("GEOFENCE_", "SSH_", "_TYPER", "_GEOFENCE")):
                patch.delenv(name)
        for name, value in made.variables().items():
            patch.setenv(name, value)
        patch.setenv("HOME", str(here))
        # Building the whole of it takes ten times as long as what a wrong argument takes.
        patch.setattr(command_line, "app", typer.main.get_command(command_line.app))
        patch.setattr(command_line, "_leave_out_others", lambda _verb: None)  # all are built once
        yield Prompt(made)


@settings(deadline=None)  # some lines do real work
@given(line=LINES)
@example(line=["watch-probation", "x", "-1"])
@example(line=["watch-probation", "x", "99999999999999999999"])
@example(line=["daemon", "--bogus"])
@example(line=["demo", "x"])
@example(line=["--state-dir", "x" * 256, "restore"])
@example(line=["--state-dir", "x" * 5_000, "status"])
def test_any_line_ends_in_a_documented_code(prompt: Prompt, line: list[str]) -> None:
    before = prompt.print()

    done = prompt.type(line)

    assert done.code in set(ExitCode)
    assert "Traceback" not in done.said
    assert done.said.isprintable() or "\x1b" not in done.said
    if done.code == ExitCode.USAGE:
        assert prompt.print() == before
        assert done.err


ADDRESSES = (
    st.ip_addresses().map(str)
    | st.text(alphabet="0123456789abcdefx.:/ -", max_size=20)
    | st.builds(
        lambda text, at, more: text[:at] + more + text[at:],
        st.ip_addresses().map(str),
        st.integers(0, 15),
        st.text(alphabet="0.:/ xf", max_size=2),
    )
)


@settings(deadline=None)
@given(text=ADDRESSES.filter(lambda text: not text.startswith("-")))
def test_only_an_address_is_taken_for_one(prompt: Prompt, text: str) -> None:
    done = prompt.type(["why", text])

    if _is_address(text):
        assert done.code == ExitCode.DONE
        return
    codes = {ExitCode.USAGE}
    if "/" in text:  # perhaps a prefix
        codes |= {ExitCode.DONE}
    if re.fullmatch(r"[\w-]+(\.[\w-]+)+\.?", text):  # perhaps a host name, which is looked up
        codes |= {ExitCode.DONE, ExitCode.FAILED}
    assert done.code in codes


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@given(st.text() | st.text(alphabet="0123456789smhd .-+"))
def test_only_a_span_from_five_seconds_to_a_day_is_taken_for_one(text: str) -> None:
    try:
        seconds = parse_seconds(text)
    except UsageError:
        return
    unit = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[text[-1]]
    assert seconds == int(text[:-1]) * unit
    assert 5 <= seconds <= 86_400


def test_the_machine_still_works_after_all_that(prompt: Prompt, tmp_path: Path) -> None:
    assert prompt.type(["--state-dir", str(tmp_path / "state"), "refresh"]).code == ExitCode.DONE
    assert prompt.type(["--state-dir", str(tmp_path / "state"), "status"]).code == ExitCode.DONE
