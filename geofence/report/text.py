"""The report as plain text, for a terminal and for mail."""

from __future__ import annotations

from collections.abc import Iterator

from geofence.cli.views.notes import status_notes
from geofence.cli.views.status import headline
from geofence.operations.snapshot import Snapshot
from geofence.report import tables
from geofence.report.contents import summary, title
from geofence.report.tables import Table
from geofence.screen import aligned
from geofence.sentences import sentences
from geofence.translation import tr

_MOST = 10
"""Rows of a table."""


def text(snapshot: Snapshot) -> str:
    """Return the report as lines of text."""
    return "\n".join(_lines(snapshot)) + "\n"


def _lines(snapshot: Snapshot) -> Iterator[str]:
    yield title(snapshot)
    yield headline(snapshot.status)[0]
    yield from summary(snapshot)
    yield from status_notes(snapshot.status)
    yield from sentences(snapshot.notes)
    parts = (
        (tr("Services"), tables.services(snapshot)),
        (tr("Countries"), tables.countries(snapshot)),
        (tr("Sources"), _without_commands(tables.sources(snapshot))),
        (tr("Exceptions"), tables.exceptions(snapshot)),
        (tr("Bans"), tables.bans(snapshot)),
        (tr("Lists"), tables.lists(snapshot)),
        (tr("Changes"), tables.history(snapshot)),
    )
    for name, table in parts:
        if table.rows:
            yield ""
            yield name
            yield from aligned(table.headings, table.rows[:_MOST])


def _without_commands(table: Table) -> Table:
    return Table(table.headings[:-2], [row[:-2] for row in table.rows])
