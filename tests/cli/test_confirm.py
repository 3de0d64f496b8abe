"""What waits to be confirmed is said to wait, however the run ends."""

from __future__ import annotations

import pytest

from tests.cli.machine import Machine
from tests.cli.world import japan_later

REMINDER = "Run 'geofence confirm' within 60 s, or the former state returns."


def damage_newest_list(where: Machine) -> None:
    """Leave only the one before it, which makes the next run a degraded one."""
    where.serve("JP", japan_later())
    where.ok("refresh")
    path = where.state / "lists" / "country-JP.list"
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("degraded", [False, True], ids=["done", "degraded"])
def test_the_operator_is_told_to_confirm(
    one: Machine, options: tuple[str, ...], *, degraded: bool
) -> None:
    one.ok("refresh")
    if degraded:
        damage_newest_list(one)
    done = one.run("apply", "--confirm-within", "60s", *options)
    assert done.code == (5 if degraded else 0)
    assert done.err.splitlines()[-1] == REMINDER
    one.ok("confirm")


def test_without_it_there_is_nothing_to_confirm(one: Machine) -> None:
    one.ok("refresh")
    assert "confirm" not in one.ok("apply").said
