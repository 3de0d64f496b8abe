"""The report's tables: headings and rows of text, as the views of the verbs have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from geofence.cli.views.bans import ban_rows
from geofence.cli.views.denied import country_text
from geofence.cli.views.exceptions import exception_rows
from geofence.cli.views.history import history_rows
from geofence.cli.views.lists import list_rows
from geofence.denied.sources import DeniedSource
from geofence.model.counts import Counted, CountKey, Counts
from geofence.operations.exceptions import ExceptionEntry
from geofence.operations.history import HistoryEntry
from geofence.operations.snapshot import Snapshot, dropped
from geofence.screen import Styled
from geofence.translation import tr
from geofence.wording import age, moment

MOST_SOURCES = 50
"""Sources that a report lists."""
MOST_COUNTRIES = 30


class Table(NamedTuple):
    """Headings and rows; a heading that begins with > is of numbers."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    commands: Sequence[int] = ()
    """Columns of commands, which the panel shows as buttons. No text of others makes one."""


def services(snapshot: Snapshot) -> Table:
    """Return what each service turned away."""
    headings = (
        tr("service"),
        tr("ports"),
        tr("allowed"),
        ">" + tr("packets blocked"),
        ">" + tr("bytes"),
    )
    allowed = {each.service: ", ".join(each.names) for each in snapshot.status.allowed}
    rows = []
    for each in snapshot.status.services:
        tally = dropped(snapshot, each.name)
        name = tr("{service} (observed)", service=each.name) if each.observed else each.name
        row = (name, " ".join(each.ports), allowed.get(each.name, "-"))
        rows.append((*row, f"{tally.packets:,}", f"{tally.octets:,}"))
    return Table(headings, rows)


def countries(snapshot: Snapshot) -> Table:
    """Return what came from each country."""
    headings = (tr("country"), ">" + tr("packets"), ">" + tr("sources"), tr("allowed"))
    rows = [
        (
            tr("in no country list") if each.code is None else country_text(each.code),
            f"{each.packets:,}",
            f"{each.sources:,}",
            tr("yes") if each.allowed else "-",
        )
        for each in snapshot.countries[:MOST_COUNTRIES]
    ]
    return Table(headings, rows)


def sources(snapshot: Snapshot, most: int = MOST_SOURCES) -> Table:
    """Return the sources with the most packets, each with what would allow or ban it."""
    headings = (
        tr("source"),
        tr("country"),
        tr("network"),
        tr("ports"),
        ">" + tr("packets"),
        tr("first"),
        tr("last"),
        tr("to allow it"),
        tr("to ban it"),
    )
    ports = {each.name: " ".join(each.ports) for each in snapshot.status.services}
    rows = [_source(each, ports, snapshot) for each in snapshot.denied.rows[:most]]
    return Table(headings, rows, (len(headings) - 2, len(headings) - 1))


def _source(each: DeniedSource, ports: Mapping[str, str], snapshot: Snapshot) -> Sequence[str]:
    allow = (
        f"geofence allow {each.exception}"
        if each.exception
        else f"geofence allow {each} --service {each.service} --for 8h"
    )
    return (
        str(each),
        country_text(each.country),
        each.network_name or "-",
        f"{each.service} {ports.get(each.service, '')}".rstrip(),
        f"{each.packets:,}",
        age(each.first, snapshot.at),
        age(each.last, snapshot.at),
        allow,
        f"geofence ban {each} --for 7d",
    )


def exceptions(snapshot: Snapshot) -> Table:
    """Return the enabled exceptions, each with when it was used last."""
    entries = [each for each in snapshot.exceptions.exceptions if each.exception.enabled]
    headings, rows = exception_rows(entries, snapshot.at)
    used = [_last_used(snapshot.counts, each) for each in entries]
    return Table(
        (*headings, tr("last used")),
        [(*map(_plain, row), last) for row, last in zip(rows, used, strict=True)],
    )


def _last_used(counts: Counts, entry: ExceptionEntry) -> str:
    """Return the last hour, or the last day, in which an exception let a packet pass."""
    key = CountKey(Counted.EXCEPTION, entry.exception.name)
    for periods, form in ((counts.hours, "%Y-%m-%d %H:00 UTC"), (counts.days, "%Y-%m-%d")):
        used = [each.start for each in periods if each.tallies.get(key)]
        if used:
            return used[-1].strftime(form)
    return "-"


def bans(snapshot: Snapshot) -> Table:
    """Return the bans that last."""
    return _table(*ban_rows(snapshot.bans, snapshot.at))


def lists(snapshot: Snapshot) -> Table:
    """Return the lists with their age."""
    return _table(*list_rows(snapshot.status.lists, snapshot.at, full=False))


def history(snapshot: Snapshot) -> Table:
    """Return the latest changes."""
    known = [each for each in snapshot.history if isinstance(each, HistoryEntry)]
    return _table(*history_rows(known))


def over_time(periods: Iterable[tuple[datetime, int]]) -> Table:
    """Return what was turned away in each hour or day in which something was."""
    headings = (tr("from"), ">" + tr("packets blocked"))
    return Table(headings, [(moment(at), f"{number:,}") for at, number in periods if number])


def _table(headings: Sequence[str], rows: Sequence[Sequence[Styled]]) -> Table:
    return Table(headings, [tuple(map(_plain, row)) for row in rows])


def _plain(cell: Styled) -> str:
    return cell if isinstance(cell, str) else cell[0]
