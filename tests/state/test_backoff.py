from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from geofence.state.backoff import load_busy, save_busy

UNTIL = datetime(2026, 2, 1, 12, tzinfo=UTC)


def test_saved_pauses_are_loaded(tmp_path: Path) -> None:
    assert load_busy(tmp_path) == {}
    save_busy(tmp_path, {})
    assert list(tmp_path.iterdir()) == []
    save_busy(tmp_path, {"lists.example:443": UNTIL})
    assert load_busy(tmp_path) == {"lists.example:443": UNTIL}
    save_busy(tmp_path, {})
    assert load_busy(tmp_path) == {}


@pytest.mark.parametrize(
    "damage",
    [b"", b"[]", b"null", b'{"a": 1}', b'{"a": "2026-02-01T12:00:00"}', b"[" * 100_000, b"\xff"],
)
def test_a_damaged_file_counts_as_missing(tmp_path: Path, damage: bytes) -> None:
    save_busy(tmp_path, {"lists.example": UNTIL})
    (tmp_path / "busy.json").write_bytes(damage)
    assert load_busy(tmp_path) == {}
    save_busy(tmp_path, {"lists.example": UNTIL})
    assert load_busy(tmp_path) == {"lists.example": UNTIL}
