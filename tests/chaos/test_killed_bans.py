"""The short form of ``python -m tests.chaos kill-bans``."""

from __future__ import annotations

import shutil

from tests.chaos.aims import Aim
from tests.chaos.ground import Ground
from tests.chaos.killing_bans import BanKiller

KILLS = 10


def test_whenever_it_is_killed_no_ban_and_no_exception_for_a_time_is_lost(fresh: Ground) -> None:
    aims = (Aim.START, Aim.LOCK, *([Aim.CALL] if shutil.which("strace") else []))
    killer = BanKiller(fresh, seed=3, aims=aims)

    attempts, sent, lost, leaked = killer.traffic(lambda: list(killer.kills(KILLS)))

    assert [str(attempt) for attempt in attempts if attempt.problems] == []
    assert any(attempt.alive for attempt in attempts)
    assert (lost, leaked) == (0, 0)
    assert sent > 0
