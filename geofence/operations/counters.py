"""The time since which the kernel's rules count what they drop."""

from __future__ import annotations

from contextlib import suppress

from geofence.errors import StateError
from geofence.host.boot import boot_id
from geofence.lean import UTC, datetime
from geofence.model.plan import Plan
from geofence.operations.site import Site
from geofence.state.outcomes import Counting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.backends.interface import Backend


def note_counting(site: Site, backend: Backend, made: Plan) -> None:
    """Record whether rules, and with them their counters, were made anew.

    What they had counted before is added to the counts over time. A disk that cannot be written to
    is no reason to fail: the time is then unknown.
    """
    kept = backend.keeps_counts and made.observed.dropped
    anew = made.rules_differ and not kept
    if made.observed.dropped:
        from geofence.operations.dropped_counts import keep_dropped

        keep_dropped(site, made.observed.dropped, anew=anew)
    if anew and site.state_directory.is_dir():
        with suppress(StateError):
            site.journal.write_counting(Counting(datetime.now(UTC), boot_id()))


def counting_since(site: Site) -> datetime | None:
    """Return when the rules in the kernel were made, UTC; None if that is unknown."""
    counting = site.journal.counting()
    return counting.since if counting and counting.boot == boot_id() else None
