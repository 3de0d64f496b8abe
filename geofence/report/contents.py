"""What the report and the panel show: plain values, texts in the reader's language."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from geofence.cli.views.notes import status_notes
from geofence.cli.views.status import headline
from geofence.geoip.world_map import SIZE
from geofence.operations.snapshot import Health, Snapshot, dropped
from geofence.report import charts, tables
from geofence.report.tables import Table
from geofence.sentences import sentences
from geofence.translation import tr, trn
from geofence.wording import moment, span


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report with a table."""

    anchor: str
    title: str
    table: Table
    told: str
    """What the table shows, and what is said where it is empty."""
    nothing: str
    folded: bool = False
    """Whether the table is behind a line to click on: a picture shows the same."""


def contents(snapshot: Snapshot, sources: int = tables.MOST_SOURCES) -> dict[str, object]:
    """Return what a page is made of, as values that JSON has.

    Args:
        snapshot: what there is to see.
        sources: how many denied sources to list at most.
    """
    bars = charts.over_time(snapshot.counts, snapshot.since, snapshot.at)
    return {
        "title": title(snapshot),
        "health": snapshot.health.value,
        "headline": headline(snapshot.status)[0],
        "summary": summary(snapshot),
        "notes": [*status_notes(snapshot.status), *sentences(snapshot.notes)],
        "width": SIZE[0],
        "height": SIZE[1],
        "shapes": [
            {"path": each.path, "dot": each.dot, "css": each.css, "title": each.title}
            for each in charts.world(snapshot.countries, _allowed(snapshot))
        ],
        "legend": [tr("none"), tr("few"), tr("many"), tr("allowed")],
        "shades": charts.SHADES,
        "map_title": tr("Packets blocked, by country"),
        "bars": [{"height": each.height, "title": each.title} for each in bars],
        "chart_title": tr("Packets blocked over time"),
        "chart_told": _chart_told(bars),
        "sections": [_section(each) for each in sections(snapshot, bars, sources)],
    }


def _section(section: Section) -> dict[str, object]:
    return {
        "anchor": section.anchor,
        "title": section.title,
        "told": section.told,
        "nothing": section.nothing,
        "folded": section.folded,
        "table": {
            "headings": list(section.table.headings),
            "rows": list(section.table.rows),
            "commands": list(section.table.commands),
        },
    }


def title(snapshot: Snapshot) -> str:
    """Return the title of a report, which is also the subject of its mail."""
    return tr("geofence on {host}: {health}", host=socket.gethostname(), health=health(snapshot))


def health(snapshot: Snapshot) -> str:
    """Return in a word or two how the fence is."""
    return {
        Health.WELL: tr("all is well"),
        Health.ATTENTION: tr("something needs attention"),
        Health.OBSERVED: tr("only observed"),
        Health.DIFFERS: tr("the fence differs"),
        Health.OPEN: tr("NO FENCE"),
    }[snapshot.health]


def summary(snapshot: Snapshot) -> list[str]:
    """Return the figures that matter, a sentence each."""
    packets = sum(dropped(snapshot, each.name).packets for each in snapshot.status.services)
    since = max(snapshot.since, snapshot.counts.since or snapshot.since)
    lines = [
        trn(
            packets,
            "{number} packet blocked in {span}.",
            "{number} packets blocked in {span}.",
            span=span(snapshot.at - since),
        ),
        trn(
            snapshot.denied.sources,
            "{number} source is noted.",
            "{number} sources are noted.",
        ),
        trn(len(snapshot.bans), "{number} ban lasts.", "{number} bans last."),
    ]
    status = snapshot.status
    if status.compared_at and not status.drift:
        lines.append(_compared(status.compared_at, status.generation, status.unchanged_since))
    if snapshot.counts.since is None:
        lines[0] = tr("Nothing was counted yet: counting begins with the next check of the fence.")
    return lines


def _compared(at: datetime, generation: int | None, earlier: bool) -> str:
    facts = {"number": generation, "time": moment(at)}
    if earlier:
        return tr(
            "Sets and rules were compared with generation {number} at {time} and have not changed "
            "since.",
            **facts,
        )
    return tr("Sets and rules were compared with generation {number} at {time}.", **facts)


def _allowed(snapshot: Snapshot) -> set[str]:
    """Return the codes of the countries that some service allows."""
    return {code for each in snapshot.status.allowed for code in each.countries}


def _chart_told(bars: Sequence[charts.Bar]) -> str:
    """Return what the highest bar stands for, and which time all of them."""
    if not bars:
        return ""
    highest = max(each.packets for each in bars)
    most = trn(highest, "at most {number} packet", "at most {number} packets")
    return f"{most}: {bars[0].start:%Y-%m-%d %H:%M} \N{EN DASH} {bars[-1].start:%Y-%m-%d %H:%M} UTC"


def sections(
    snapshot: Snapshot, bars: Sequence[charts.Bar], sources: int = tables.MOST_SOURCES
) -> list[Section]:
    """Return the parts with tables, in their order; of sources at most so many."""
    return [
        Section(
            "services",
            tr("Services"),
            tables.services(snapshot),
            tr("What each service has blocked since {time}.", time=moment(snapshot.since)),
            tr("No service is fenced."),
        ),
        Section(
            "countries",
            tr("Countries"),
            tables.countries(snapshot),
            tr("Where noted sources are; in a flood, only some packets are noted."),
            tr("No source was noted."),
            folded=True,
        ),
        Section(
            "time",
            tr("Over time"),
            tables.over_time((each.start, each.packets) for each in bars),
            tr("Hours are kept for a week, days for a year."),
            tr("Nothing was counted."),
            folded=True,
        ),
        Section(
            "sources",
            tr("Sources"),
            tables.sources(snapshot, sources),
            tr("Those with the most packets. The commands are for this host."),
            tr("No source was noted."),
        ),
        Section(
            "exceptions",
            tr("Exceptions"),
            tables.exceptions(snapshot),
            tr("Who is allowed beside the countries."),
            tr("No exception is enabled."),
        ),
        Section(
            "bans",
            tr("Bans"),
            tables.bans(snapshot),
            tr("Who is blocked for a time."),
            tr("Nothing is banned."),
        ),
        Section(
            "lists",
            tr("Lists"),
            tables.lists(snapshot),
            tr("Where allowed and blocked addresses come from."),
            tr("There are no lists in the rules."),
        ),
        Section(
            "history",
            tr("Changes"),
            tables.history(snapshot),
            tr("The latest first. 'geofence rollback' returns to an earlier one."),
            tr("Nothing has been applied yet."),
        ),
    ]
