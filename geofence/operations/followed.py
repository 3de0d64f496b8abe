"""The rules of a run, with what they gain from Asterisk's configuration if they follow it.

Most do not, and what reads the configuration takes a while to import.
"""

from __future__ import annotations

from collections.abc import Collection
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


def followed_if_asked(site: Site, accept: Collection[str] = ()) -> Followed:
    """Return the rules with what Asterisk's configuration adds to them now.

    Args:
        site: the installation.
        accept: overrides.

    Raises:
        RulesError: the rules do not load.
        UsageError: an override has an unknown check.
    """
    rules = site.rules()
    if not rules.asterisk.enabled:
        return Followed(rules)
    from geofence.operations.following import followed

    return followed(site, accept)
