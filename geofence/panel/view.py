"""What a page of the panel is made of, as the privileged process tells it: the report's parts."""

from __future__ import annotations

from geofence.operations.snapshot import MOST_SOURCES, Snapshot
from geofence.report.contents import contents
from geofence.translation import tr
from geofence.wording import moment


def view(snapshot: Snapshot) -> dict[str, object]:
    """Return a snapshot as the page shows it: plain values, texts in the reader's language."""
    return {
        **contents(snapshot, MOST_SOURCES),
        "pending": snapshot.status.probation is not None,
        "made": tr("Read {time}.", time=moment(snapshot.at)),
    }
