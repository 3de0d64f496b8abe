"""The outcome of a run is written where no other run can take it for what a killed one left."""

from __future__ import annotations

from pathlib import Path

from geofence.operations.outcome import told_healing
from geofence.operations.site import Site
from geofence.state.lock import exclusive


def test_an_outcome_is_written_under_the_lock(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    site = Site(tmp_path / "rules", state, lock_seconds=0.1)

    with exclusive(state, 0):
        notes = told_healing(site)

    assert ["Another geofence process is using" in note for note in notes] == [True]
    assert site.journal.outcome() is None
    assert told_healing(site) == ()
    assert site.journal.outcome() is not None
