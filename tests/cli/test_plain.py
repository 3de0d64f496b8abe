"""Plain verbs without the library for command lines do and say what they do with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from geofence.cli.app import app
from geofence.cli.plain import Plain, plainly
from tests.cli.machine import Machine, machine

PLAIN = {
    "alone": (["restore"], {}, {}),
    "directories": (
        ["--rules-dir", "/r", "--state-dir=/s", "restore"],
        {},
        {"--rules-dir": Path("/r"), "--state-dir": Path("/s")},
    ),
    "twice": (["--state-dir", "/s", "--state-dir", "t", "restore"], {}, {"--state-dir": Path("t")}),
    "environment": (
        ["restore"],
        {"GEOFENCE_STATE_DIR": "/s", "GEOFENCE_RULES_DIR": ""},
        {"--state-dir": Path("/s")},
    ),
    "both": (
        ["--state-dir", "/s", "restore"],
        {"GEOFENCE_STATE_DIR": "/t"},
        {"--state-dir": Path("/s")},
    ),
}
NOT_PLAIN = {
    "nothing": ([], {}),
    "another verb": (["apply"], {}),
    "help": (["restore", "--help"], {}),
    "JSON": (["restore", "--json"], {}),
    "target": (["restore", "--target", "restore"], {}),
    "backend": (["--backend", "ipset", "restore"], {}),
    "wait": (["--lock-wait", "1", "restore"], {}),
    "no value": (["--state-dir", "restore"], {}),
    "an empty value": (["--state-dir=", "restore"], {}),
    "an option as value": (["--state-dir", "--rules-dir", "restore"], {}),
    "a beginning of an option": (["--state", "/s", "restore"], {}),
    "a word before it": (["apply", "restore"], {}),
    "version": (["--version", "restore"], {}),
    "backend of the environment": (["restore"], {"GEOFENCE_BACKEND": "ipset"}),
    "wait of the environment": (["restore"], {"GEOFENCE_LOCK_WAIT": "1"}),
    "patience of the environment": (["restore"], {"GEOFENCE_PATIENCE": "1"}),
    "BPF file system of the environment": (["restore"], {"GEOFENCE_BPF_DIR": "/b"}),
    "an option of another verb": (["restore", "--unattended"], {}),
    "an override": (["refresh", "--accept", "shrink=JP"], {}),
    "cut": (["refresh", "--unattended", "--cut"], {}),
    "names": (["refresh", "--names-only"], {}),
    "a word after it": (["refresh", "--unattended", "JP"], {}),
    "completion": (["restore"], {"_GEOFENCE_COMPLETE": "complete_bash"}),
}
BY_LIBRARY = ("--patience", "120")
"""What is the default, and not known to the plain way."""
WITHOUT_NET_ADMIN = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")


def test_every_variable_of_the_environment_is_known() -> None:
    group: Any = typer.main.get_command(app)
    variables = {option.envvar for option in group.params if getattr(option, "envvar", "")}
    assert variables
    for name in variables:
        found = plainly(["restore"], {name: "x"})
        assert found is None or Path("x") in found.directories.values(), name


@pytest.mark.parametrize("case", PLAIN)
def test_plain_forms_are_known(case: str) -> None:
    arguments, environment, directories = PLAIN[case]
    assert plainly(arguments, environment) == Plain("restore", directories)


def test_a_plain_refresh_may_be_unattended() -> None:
    assert plainly(["refresh"], {}) == Plain("refresh", {})
    options = frozenset({"--unattended"})
    known = plainly(["--state-dir", "/s", "refresh", "--unattended"], {})
    assert known == Plain("refresh", {"--state-dir": Path("/s")}, options)


@pytest.mark.parametrize("case", NOT_PLAIN)
def test_all_others_are_left_to_the_library(case: str) -> None:
    assert plainly(*NOT_PLAIN[case]) is None


def _fence(made: Machine) -> None:
    made.ok("refresh")


def _flushed(made: Machine) -> None:
    made.ok("refresh")
    made.clear()


def _nothing(made: Machine) -> None:
    """Leave it as it is."""


def _damaged(made: Machine) -> None:
    _flushed(made)
    for path in (made.state / "generations").glob("*.generation"):
        path.write_bytes(b"damaged")


def _foreign(made: Machine) -> None:
    made.state.mkdir(mode=0o755)
    (made.state / "mine").write_text("of another program")


@pytest.mark.parametrize("verb", ["restore", "refresh"])
@pytest.mark.parametrize("before", [_fence, _flushed, _nothing, _damaged, _foreign])
def test_both_ways_do_and_say_the_same(
    before: Callable[[Machine], None], verb: str, tmp_path: Path
) -> None:
    found = []
    for number, options in enumerate([(), BY_LIBRARY]):
        place = tmp_path / str(number)
        place.mkdir()
        with machine(place, "nftables") as made:
            made.environment["GEOFENCE_BACKEND"] = ""
            before(made)
            done = made.run(*options, verb)
            said = (each.replace(str(place), "") for each in (done.out, done.err))
            found.append((done.code, *said, made.observe().rules, made.observe().sets))
    assert found[0] == found[1]


def test_without_the_privilege_both_refuse_alike(tmp_path: Path) -> None:
    with machine(tmp_path, "nftables") as made:
        made.wrapper, made.environment["GEOFENCE_BACKEND"] = WITHOUT_NET_ADMIN, ""
        plain, long = made.run("restore"), made.run(*BY_LIBRARY, "restore")
        assert plain == long
        assert plain.code == 1
        assert "CAP_NET_ADMIN" in plain.err
