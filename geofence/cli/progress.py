"""Progress of downloads: a bar at a terminal, plain lines about trouble elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from geofence.fetch.events import Event, Retrying
from geofence.operations.lists import Watch
from geofence.screen import Screen
from geofence.translation import clause, tr


@contextmanager
def watching(screen: Screen) -> Iterator[Watch]:
    """Yield a function that shows events."""
    if screen.interactive:
        from geofence.cli.progress_bar import Bar, shown_progress

        with shown_progress() as progress:
            yield Bar(progress, retrying).tell
    else:
        yield lambda event: _tell_trouble(screen, event)


def _tell_trouble(screen: Screen, event: Event) -> None:
    if isinstance(event, Retrying):
        screen.note(retrying(event))


def retrying(event: Retrying) -> str:
    """Return why a list is fetched again, and when."""
    return tr(
        "{list}: {why}; retrying in {seconds} s",
        list=event.id,
        why=clause(event.why),
        seconds=f"{event.seconds:.1f}",
    )
