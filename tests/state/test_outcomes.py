"""What runs leave for each other is understood again, also by another release."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from geofence.state.outcomes import Ended, Ending, Journal, RunOutcome

NOW = datetime(2026, 2, 1, 3, 30, tzinfo=UTC)
BAD = Ended("refresh", Ending.DEGRADED, NOW, "A source was down.")


def test_an_outcome_is_read_as_it_was_written(tmp_path: Path) -> None:
    outcome = RunOutcome(
        "restore",
        Ending.DONE,
        NOW,
        notify_command=("/bin/true",),
        healed=2,
        healed_at=NOW,
        failing="So it is.",
        unresolved=(BAD, Ended("apply", Ending.REFUSED, NOW)),
    )
    journal = Journal(tmp_path)
    journal.write_outcome(outcome)
    assert journal.outcome() == outcome


@pytest.mark.parametrize(
    ("ending", "unresolved"), [("degraded", (BAD,)), ("done", ())], ids=["bad", "done"]
)
def test_an_outcome_of_an_earlier_release_has_its_run_as_unresolved(
    tmp_path: Path, ending: str, unresolved: tuple[Ended, ...]
) -> None:
    facts = {
        "command": "refresh",
        "ending": ending,
        "at": "2026-02-01T03:30:00+00:00",
        "message": "A source was down.",
        "notify_command": [],
        "healed": 0,
        "healed_at": None,
        "failing": "",
    }
    (tmp_path / "outcome.json").write_text(json.dumps(facts))
    outcome = Journal(tmp_path).outcome()
    assert outcome is not None
    assert outcome.unresolved == unresolved


@pytest.mark.parametrize("unresolved", [None, 7, "refresh", [None], [[]], [{"command": "refresh"}]])
def test_an_invalid_outcome_counts_as_missing(tmp_path: Path, unresolved: object) -> None:
    Journal(tmp_path).write_outcome(RunOutcome("refresh", Ending.DONE, NOW))
    path = tmp_path / "outcome.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "unresolved": unresolved}))
    assert Journal(tmp_path).outcome() is None
