"""The short form of ``python -m tests.chaos kill``."""

from __future__ import annotations

from tests.chaos.ground import Ground
from tests.chaos.killing import Killer

KILLS = 8
FROM_BOOT = 3


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
