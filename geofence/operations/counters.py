"""The time since which the kernel's rules count what they drop."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from geofence.errors import StateError
from geofence.model.plan import Plan
from geofence.operations.site import Site
from geofence.state.outcomes import Counting

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def note_counting(site: Site, made: Plan) -> None:
    """Record that rules, and with them their counters, were made anew.

    A disk that cannot be written to is no reason to fail: the time is then unknown.
    """
    if made.rules_differ and site.state_directory.is_dir():
        with suppress(StateError):
            site.journal.write_counting(Counting(datetime.now(UTC), _boot()))


def counting_since(site: Site) -> datetime | None:
    """Return when the rules in the kernel were made, UTC; None if that is unknown."""
    counting = site.journal.counting()
    return counting.since if counting and counting.boot == _boot() else None


def _boot() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip()
