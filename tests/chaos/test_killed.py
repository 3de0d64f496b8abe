"""The short form of ``python -m tests.chaos kill``."""

from __future__ import annotations

import pytest

from geofence.backends.nftables.forms import MOST_INTERVALS
from geofence.model.generation import Generation
from geofence.model.prefixes import Family
from geofence.model.ruleset import Role, SetKey
from tests.chaos.ground import Ground, varying_list
from tests.chaos.killing import Killer

KILLS = 8
FROM_BOOT = 3
ALLOWED = SetKey(Role.ALLOW, "", Family.IPV4)


def test_after_a_kill_the_fence_is_the_old_or_the_new(fresh: Ground) -> None:
    killer = Killer(fresh, seed=1)

    attempts, sent, lost, leaked = killer.traffic(lambda: list(killer.kills(KILLS)))

    assert [str(attempt) for attempt in attempts if attempt.problems] == []
    assert any(attempt.alive for attempt in attempts)
    assert (lost, leaked) == (0, 0)
    assert sent > 0


def test_after_a_kill_at_boot_the_fence_is_complete_or_missing(fresh: Ground) -> None:
    killer = Killer(fresh, seed=2)

    attempts, _, lost, _ = killer.traffic(lambda: list(killer.kills(FROM_BOOT, boot=True)))

    assert [str(attempt) for attempt in attempts if attempt.problems] == []
    assert lost == 0


def test_after_a_kill_while_sets_change_their_form_the_fence_is_the_old_or_the_new(
    fresh: Ground,
) -> None:
    if fresh.machine.backend != "nftables":
        pytest.skip("sets of ipset have one form")
    killer = Killer(fresh, seed=3, listing=varying_list)

    attempts, sent, lost, leaked = killer.traffic(lambda: list(killer.kills(KILLS // 2)))

    assert [str(attempt) for attempt in attempts if attempt.problems] == []
    assert (lost, leaked) == (0, 0)
    assert sent > 0
    applied = [each for each in fresh.site.generations.walk() if isinstance(each, Generation)]
    sizes = [len(each.ruleset.sets[ALLOWED].bounds) // 2 for each in applied]
    assert {size > MOST_INTERVALS for size in sizes} == {True, False}
