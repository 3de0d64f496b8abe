"""Lists that guards refuse, run after run: since when, and since when the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from geofence.errors import StateError
from geofence.guards.settling import Refusal
from geofence.model.lists import ListId, ListKind
from geofence.state.files import ensure_private_directory, read_if_there, write_atomically

_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


class RefusalStore:
    """The refusals of one state directory, in one small file.

    One that is damaged is passed over as if it were not there: time begins anew.
    """

    def __init__(self, state_directory: Path) -> None:
        self._directory = state_directory / "lists"
        self._path = self._directory / "refusals.json"

    def load(self) -> dict[ListId, Refusal]:
        """Return the refusals that go on."""
        try:
            facts = json.loads(read_if_there(self._path) or b"[]")
            return {
                ListId(ListKind(kind), name): Refusal(str(sha256), _time(since), _time(same))
                for kind, name, sha256, since, same in facts
            }
        except (StateError, *_DAMAGE):
            return {}

    def save(self, refusals: Mapping[ListId, Refusal]) -> None:
        """Write the refusals down; the caller holds the lock.

        Raises:
            StateError: they could not be written.
        """
        if refusals == self.load():
            return
        facts = [
            [*name, each.sha256, each.since.isoformat(), each.same_since.isoformat()]
            for name, each in sorted(refusals.items())
        ]
        ensure_private_directory(self._directory)
        write_atomically(self._path, json.dumps(facts, indent=1).encode())


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("A time must say its zone.")
    return time.astimezone(UTC)
