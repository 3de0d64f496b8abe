"""``status --nagios``: one line and an exit code."""

from __future__ import annotations

import re

import pytest

from tests.cli.machine import Machine
from tests.support.list_server import status

LINE = re.compile(r"GEOFENCE (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+ \| (\S+=\d+c?( |\n))+")


def told(machine: Machine, code: int, word: str) -> str:
    done = machine.run("status", "--nagios")
    assert done.code == code
    assert done.out.startswith(f"GEOFENCE {word} - ")
    assert done.out.count("\n") == 1
    return done.out


def test_a_fence_as_applied_is_ok(fresh: Machine) -> None:
    fresh.ok("refresh")
    assert LINE.fullmatch(told(fresh, 0, "OK"))


def test_no_fence_is_critical(fresh: Machine) -> None:
    assert "NO FENCE" in told(fresh, 2, "CRITICAL")


def test_a_fence_that_another_program_changed_is_critical(fresh: Machine) -> None:
    fresh.ok("refresh")
    fresh.break_set()
    assert "geofence repair" in told(fresh, 2, "CRITICAL")


def test_a_run_that_failed_is_a_warning(one: Machine) -> None:
    one.ok("refresh")
    one.serve("JP", status(404))
    one.run("refresh")
    assert LINE.fullmatch(told(one, 1, "WARNING"))


def test_services_that_are_only_observed_are_a_warning(one: Machine) -> None:
    one.rule("60-observe.toml", "[mode]\nobserve = true\n")
    one.ok("refresh")
    assert "nothing is dropped" in told(one, 1, "WARNING")


@pytest.mark.parametrize("rules", ["[service.sip]\nports = [7]\n", "not toml"])
def test_rules_that_do_not_load_are_told(one: Machine, rules: str) -> None:
    one.ok("refresh")
    one.rule("66-wrong.toml", rules)
    assert "66-wrong.toml" in told(one, 1, "WARNING")
