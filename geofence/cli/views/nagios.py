"""The state of the fence as a plugin of Nagios, Icinga or Naemon tells it.

One line: a word, what is the matter, and after a bar performance data
(https://nagios-plugins.org/doc/guidelines.html).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from geofence.cli.views.status import headline, waiting
from geofence.errors import GeofenceError
from geofence.operations.snapshot import Health, health
from geofence.operations.status import StatusReport
from geofence.translation import english


class Plugin(IntEnum):
    """Exit codes of plugins."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_CODES = {
    Health.WELL: Plugin.OK,
    Health.OBSERVED: Plugin.WARNING,
    Health.ATTENTION: Plugin.WARNING,
    Health.DIFFERS: Plugin.CRITICAL,
    Health.OPEN: Plugin.CRITICAL,
}


def nagios(look: Callable[[], StatusReport]) -> tuple[str, Plugin]:
    """Return the line and the exit code; what keeps it from looking is "unknown"."""
    try:
        report = look()
    except GeofenceError as error:
        return _line(Plugin.UNKNOWN, str(error)), Plugin.UNKNOWN
    code = _CODES[health(report)]
    return f"{_line(code, _told(report))} | {_performance(report)}", code


def _line(code: Plugin, text: str) -> str:
    one_line = " ".join(english(text).split()).replace("|", "/")  # the bar begins the data
    return f"GEOFENCE {code.name} - {one_line}"


def _told(report: StatusReport) -> str:
    """Return how the fence is, and what else is not as it should be."""
    return " ".join([headline(report)[0], *waiting(report)])


def _performance(report: StatusReport) -> str:
    values = {
        **{f"dropped_{each.name}": f"{each.dropped.packets}c" for each in report.services},
        "exceptions": str(len(report.exceptions.names)),
        "stale_lists": str(len(report.stale)),
    }
    return " ".join(f"{name}={value}" for name, value in values.items())
