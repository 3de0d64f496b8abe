"""Without root a verb says so first, and does nothing; what needs no root does not ask for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from geofence.cli.app import app
from tests.cli.machine import Machine
from tests.demo.ordinary_user import is_real_root, run_as_ordinary_user

WITHOUT_KERNEL = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
VERBS = [
    ("refresh",),
    ("apply",),
    ("confirm",),
    ("rollback",),
    ("allow", "office"),
    ("revoke", "home"),
    ("status",),
    ("restore",),
    ("repair",),
    ("remove",),
    ("daemon",),
    ("ban", "192.0.2.1"),
    ("unban", "192.0.2.1"),
    ("bans",),
    ("denied",),
    ("setup", "--yes"),
    ("metrics",),
    ("report",),
    ("panel",),
    ("shield",),
]
READERS = [
    ("plan",),
    ("why", "192.0.2.1"),
    ("history",),
    ("exceptions",),
    ("atlas",),
    ("catalog",),
    ("notify", "--test"),
    ("mirror",),
    ("export", "--to", "networkpolicy", "--namespace", "pbx", "--pods", "app=asterisk"),
]
ALL = {"demo", "discover", "doctor", "watch_probation"}
"""What everybody may run."""


def test_every_verb_is_looked_at() -> None:
    known = {
        each.name or each.callback.__name__ for each in app.registered_commands if each.callback
    }
    looked_at = {verb for verb, *_ in (*VERBS, *READERS)}
    assert known - looked_at == ALL


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_without_root_it_says_so_before_anything_else(one: Machine, verb: tuple[str, ...]) -> None:
    one.rule("60-wrong.toml", "[alow]\n")  # not even this is looked at
    one.wrapper = WITHOUT_KERNEL
    done = one.run(*verb)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"geofence: 'geofence {verb[0]}' needs the capability CAP_NET_ADMIN, which root lacks "
        "here. Give it to the container or the unit.\n"
    )
    assert one.server.requests == []
    assert not one.state.exists()


@pytest.mark.parametrize("verb", [*VERBS, *READERS], ids=" ".join)
def test_an_ordinary_user_is_referred_to_sudo(tmp_path: Path, verb: tuple[str, ...]) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0)
    done = as_ordinary_user(f"GEOFENCE_STATE_DIR={state}", *verb)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"geofence: 'geofence {verb[0]}' needs ")
    if is_real_root():
        assert line.endswith(f"needs root; run 'sudo geofence {verb[0]}'.")


def as_ordinary_user(*given: str) -> subprocess.CompletedProcess[str]:
    """Run geofence with a variable and arguments."""
    setting, *arguments = given
    run = (sys.executable, "-m", "geofence", *arguments)
    return run_as_ordinary_user("env", setting, *WITHOUT_KERNEL, *run)


@pytest.mark.parametrize(("verb", "code"), [(("plan", "--offline"), 1), (("why", "192.0.2.1"), 0)])
def test_facts_on_disk_are_shown_without_root(
    one: Machine, verb: tuple[str, ...], code: int
) -> None:
    one.wrapper = WITHOUT_KERNEL
    done = one.run(*verb)
    assert done.code == code
    first = (
        f"Without root, 'geofence {verb[0]}' cannot read the kernel; it shows only what is stored"
    )
    assert done.err.startswith(first)


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("refresh", "--help")])
def test_commands_that_need_no_root_run_without_it(arguments: tuple[str, ...]) -> None:
    done = as_ordinary_user("LC_ALL=C.UTF-8", *arguments)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mistake_on_the_command_line_needs_no_root() -> None:
    assert as_ordinary_user("LC_ALL=C.UTF-8", "aply").stderr == (
        "geofence: unknown command \"aply\"; did you mean 'geofence apply'?\n"
    )
