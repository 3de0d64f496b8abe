"""The weekly report by mail: as text, and as HTML for those who look."""

from __future__ import annotations

from datetime import timedelta

from geofence.errors import UsageError
from geofence.model.notes import Note
from geofence.operations.mail import send_page
from geofence.operations.site import Site
from geofence.operations.snapshot import snapshot
from geofence.report.contents import title
from geofence.report.page import page
from geofence.report.text import text
from geofence.translation import speak, tr


def mail_report(site: Site, lasting: timedelta) -> tuple[Note, ...]:
    """Send the report to those that the rules name, and return what went wrong.

    Raises:
        RulesError: the rules do not load.
        UsageError: they name nobody.
    """
    policy = site.policy()
    if not policy.report_mail:
        raise UsageError(
            tr(
                "The rules name nobody who gets the report. Set mail in [report], such as "
                '["root"], in a file in {directory}.',
                directory=site.rules_directory,
            )
        )
    speak(policy.report_language)
    found = snapshot(site, lasting)
    return send_page(policy.report_mail, title(found), text(found), page(found))
