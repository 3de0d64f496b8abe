"""What a page of the panel is made of, as the privileged process tells it: the report's parts."""

from __future__ import annotations

from geofence.cli.views.notes import status_notes
from geofence.cli.views.status import headline
from geofence.geoip.world_map import SIZE
from geofence.operations.snapshot import MOST_SOURCES, Snapshot
from geofence.report import charts
from geofence.report.page import allowed, legend, most, sections, summary, title
from geofence.sentences import sentences
from geofence.translation import tr
from geofence.wording import moment


def view(snapshot: Snapshot) -> dict[str, object]:
    """Return a snapshot as the page shows it: plain values, texts in the reader's language."""
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
            for each in charts.world(snapshot.countries, allowed(snapshot))
        ],
        "legend": legend(),
        "shades": charts.SHADES,
        "map_title": tr("Packets blocked, by country"),
        "bars": [{"height": each.height, "title": each.title} for each in bars],
        "chart_title": tr("Packets blocked over time"),
        "most": most(bars),
        "pending": snapshot.status.probation is not None,
        "made": tr("Read {time}.", time=moment(snapshot.at)),
        "sections": [
            {
                "anchor": each.anchor,
                "title": each.title,
                "told": each.told,
                "nothing": each.nothing,
                "folded": each.folded,
                "table": {"headings": list(each.table.headings), "rows": list(each.table.rows)},
            }
            for each in sections(snapshot, bars, MOST_SOURCES)
        ],
    }
