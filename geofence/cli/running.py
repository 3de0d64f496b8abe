"""One run of a verb that changes the fence: told to log and hook, printed, with its exit code."""

from __future__ import annotations

from collections.abc import Callable

from geofence.cli.views.run import finish
from geofence.operations.outcome import told
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.screen import Screen


def run(
    site: Site,
    verb: str,
    operation: Callable[[], RunReport],
    *,
    as_json: bool,
    reminder: str = "",
) -> None:
    """Do it, record how it ended, print the report, and end with its exit code.

    Args:
        site: the installation.
        verb: under which the outcome is recorded.
        operation: what to do.
        as_json: whether to print JSON.
        reminder: printed after the report.
    """
    finish(Screen(), told(site, verb, operation), as_json=as_json, reminder=reminder)
