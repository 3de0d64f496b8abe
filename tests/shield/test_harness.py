"""Changes under probes and kills at system calls, shortly; see ``python -m tests.shield``."""

from __future__ import annotations

from tests.shield.changes import changed
from tests.shield.kills import killed
from tests.shield.scene import Scene


def test_changes_under_probes_lose_nobody_and_let_nobody_in(nft_stage: Scene) -> None:
    told = changed(nft_stage, 4)
    assert not told.problems, told
    assert told.by_shield > 100


def test_kills_leave_no_shield_without_its_fence(clsact_stage: Scene) -> None:
    told = killed(clsact_stage, 3, 3)
    assert not told.problems, told
    assert told.kills == 3
