"""The rules of a run, with what they gain from Asterisk's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geofence.errors import StateError
from geofence.model.frozen import dataclass
from geofence.model.notes import Note, problem
from geofence.model.policy import Policy
from geofence.operations.site import Site

if TYPE_CHECKING:
    from geofence.asterisk.reading import Reading


@dataclass(frozen=True, slots=True)
class Followed:
    """The rules of a run, with what was derived."""

    policy: Policy
    notes: tuple[Note, ...] = ()
    """What the configuration changes, and what of it is not in force."""
    degraded: bool = False
    """Whether something of it is not in force that should be."""
    reading: Reading | None = None
    """The reading that is in force once the ruleset is applied; None for no change."""

    def store(self, site: Site) -> tuple[Note, ...]:
        """Store the reading; the caller holds the lock, and has applied the ruleset."""
        if self.reading is None:
            return ()
        try:
            site.readings.save(self.reading)
        except StateError as error:
            return (problem(error),)
        return ()
