"""Elements of runtime sets: prefixes with an end."""

from __future__ import annotations

from typing import NamedTuple

from geofence.model.prefixes import Prefix


class TimedPrefix(NamedTuple):
    """A prefix in a runtime set, and until when."""

    prefix: Prefix
    until: float | None
    """Seconds since the epoch; None: without end."""
