"""The report as one HTML file: no script, nothing from elsewhere, readable without its pictures."""

from __future__ import annotations

from geofence.operations.snapshot import Snapshot
from geofence.report.contents import contents
from geofence.report.environment import TEMPLATES, environment
from geofence.translation import language, tr
from geofence.wording import moment


def page(snapshot: Snapshot) -> str:
    """Return the report as HTML."""
    template = environment().get_template("report.html.j2")
    html: str = template.render(
        page=contents(snapshot),
        language=language(),
        style=(TEMPLATES / "style.css").read_text(encoding="utf-8"),
        made=tr("Made {time} by geofence.", time=moment(snapshot.at)),
        map_from=tr("Map: Natural Earth."),
    )
    return html
