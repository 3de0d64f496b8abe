"""How fetching goes on: a bar where somebody looks, plain lines about trouble elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from geofence.fetch.events import Event, Finished, Received, Retrying, Started
from geofence.operations.lists import Watch
from geofence.screen import Screen, console


@contextmanager
def watching(screen: Screen) -> Iterator[Watch]:
    """Something to tell events to for the length of the block."""
    if screen.interactive:
        with _progress() as bar:
            yield _Bar(bar).tell
    else:
        yield lambda event: _tell_trouble(screen, event)


def _tell_trouble(screen: Screen, event: Event) -> None:
    if isinstance(event, Retrying):
        screen.note(f"{event.id}: {event.why}; next attempt in {event.seconds:.1f} s")


def _progress() -> Progress:
    return Progress(
        TextColumn("Fetching"),
        BarColumn(),
        MofNCompleteColumn(),
        # What a server answered is no markup of ours.
        TextColumn("lists, {task.fields[kib]:,} KiB {task.fields[doing]}", markup=False),
        console=console(stderr=True),
        transient=True,
    )


class _Bar:
    """One bar for all lists; it grows as lists are begun."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task: TaskID = bar.add_task("", total=0, kib=0, doing="")
        self._begun = 0
        self._octets = 0

    def tell(self, event: Event) -> None:
        """Show an event."""
        match event:
            case Started():
                self._begun += 1
                self._bar.update(self._task, total=self._begun)
            case Received(_, octets):
                self._octets += octets
                self._bar.update(self._task, kib=self._octets // 1024)
            case Retrying(name, why, _):
                self._bar.update(self._task, doing=f"({name}: {why})")
            case Finished(name, _):
                self._bar.update(self._task, advance=1, doing=f"({name})")
