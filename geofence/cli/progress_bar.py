"""The bar that shows the progress of downloads at a terminal; rich is imported for nothing else."""

from __future__ import annotations

from collections.abc import Callable

from rich.cells import cell_len, set_cell_size
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from geofence.fetch.events import Event, Finished, Received, Retrying, Started
from geofence.screen import console
from geofence.translation import tr

_BAR_CELLS = 20
_NAME_CELLS = 22
"""With these, the line fits 80 columns; a wider one would take its bar away."""


def shown_progress() -> Progress:
    """Return a line with a bar."""
    return Progress(
        TextColumn(tr("Fetching")),
        BarColumn(_BAR_CELLS),
        TextColumn("{task.fields[count]}", markup=False),
        TextColumn("{task.fields[name]}", markup=False),
        console=console(stderr=True),
        transient=True,
    )


class Bar:
    """One bar for all lists; it grows as lists are begun."""

    def __init__(self, progress: Progress, retrying: Callable[[Retrying], str]) -> None:
        """Begin with none.

        Args:
            progress: where it is shown.
            retrying: says why a list is fetched again.
        """
        self._progress, self._retrying = progress, retrying
        self._begun = self._done = self._size = 0
        self._task: TaskID = progress.add_task("", total=0, count=self._count(), name="")

    def tell(self, event: Event) -> None:
        """Show an event."""
        match event:
            case Started():
                self._begun += 1
            case Received(_, size):
                self._size += size
            case Retrying():
                # Above the bar, where a long reason has room.
                self._progress.console.print(self._retrying(event))
            case Finished():
                self._done += 1
        self._progress.update(
            self._task,
            total=self._begun,
            completed=self._done,
            count=self._count(),
            name=_clipped(str(event.id)),
        )

    def _count(self) -> str:
        return tr(
            "{done}/{begun} lists, {kib} KiB",
            done=self._done,
            begun=self._begun,
            kib=f"{self._size // 1024:,}",
        )


def _clipped(name: str) -> str:
    return name if cell_len(name) <= _NAME_CELLS else set_cell_size(name, _NAME_CELLS - 1) + "…"
