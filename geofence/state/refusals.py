"""Lists that checks refuse, run after run: since when, and since when the same version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from geofence.errors import StateError
from geofence.guards.settling import Refusal
from geofence.model.lists import ListId, ListKind
from geofence.state.files import ensure_private_directory, read_if_there, write_atomically
from geofence.state.records import DAMAGE, MOMENT, moment, text


class RefusalStore:
    """The refusals of one state directory, in one small file.

    A damaged one is ignored, so the times begin anew.
    """

    def __init__(self, state_directory: Path) -> None:
        self._directory = state_directory / "lists"
        self._path = self._directory / "refusals.json"

    def load(self) -> dict[ListId, Refusal]:
        """Return the refusals that have not ended."""
        try:
            facts = json.loads(read_if_there(self._path) or b"[]")
            return {
                ListId(ListKind(kind), name): Refusal(text(sha256), moment(since), moment(same))
                for kind, name, sha256, since, same in facts
            }
        except (StateError, *DAMAGE):
            return {}

    def save(self, refusals: Mapping[ListId, Refusal]) -> None:
        """Write the refusals, if they have changed; the caller holds the lock.

        Raises:
            StateError: they could not be written.
        """
        if refusals == self.load():
            return
        facts = [
            [*name, each.sha256, *map(MOMENT.write, (each.since, each.same_since))]
            for name, each in sorted(refusals.items())
        ]
        ensure_private_directory(self._directory)
        write_atomically(self._path, json.dumps(facts, indent=1).encode())
