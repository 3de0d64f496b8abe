"""Evidence for ``doctor`` of fail2ban: its jails, and what is in the logs that they read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from geofence.asterisk.configuration import Configuration
from geofence.asterisk.directory import Directory
from geofence.asterisk.findings import Findings
from geofence.doctor.evidence import Jail
from geofence.errors import AsteriskError
from geofence.host.fail2ban import JailSettings, log_tail, read_jails

_ASTERISK = re.compile(r"res_security_log|SecurityEvent|chan_sip|callid|No matching endpoint")
"""What is in the filters of jails that read Asterisk's log."""
_COUNTED = {
    "notice": re.compile(r"failed for|No matching endpoint|Registration from"),
    "security": re.compile(r"SecurityEvent|res_security_log"),
}
"""What is in regular expressions that count lines of a stream."""
_LOGGED = {
    "notice": ("NOTICE", ("failed for", "No matching endpoint")),
    "security": ("SECURITY", ("SecurityEvent=",)),
}
"""What is in a line of each stream: its level, and one of some texts. Not as regular expressions,
since attackers write much of these lines."""
_OWN = "geofence"


def read_asterisk_jails(directory: Path) -> tuple[Jail, ...]:
    """Return fail2ban's jails that read Asterisk's log.

    Args:
        directory: of Asterisk's configuration, whose logger.conf says what goes where.

    Raises:
        BackendError: fail2ban does not print its configuration.
    """
    levels = _levels(directory)
    found = (each for each in read_jails() if any(map(_ASTERISK.search, each.regexes)))
    return tuple(_jail(each, levels) for each in found)


def _jail(settings: JailSettings, levels: Mapping[str, frozenset[str]]) -> Jail:
    counted = (
        stream for stream, pattern in _COUNTED.items() if any(map(pattern.search, settings.regexes))
    )
    files = {path: _streams(path, levels) for path in settings.log_paths}
    return Jail(settings.name, _OWN in settings.ignore_command, frozenset(counted), files)


def _streams(path: str, levels: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return which streams go to a log file: by logger.conf, else by what is in it."""
    told = levels.get(Path(path).name)
    if told is not None:
        return told & frozenset(_LOGGED)
    lines = log_tail(path).splitlines()
    return frozenset(stream for stream in _LOGGED if any(_is_of(stream, line) for line in lines))


def _is_of(stream: str, line: str) -> bool:
    level, texts = _LOGGED[stream]
    return level in line and any(text in line for text in texts)


def _levels(directory: Path) -> Mapping[str, frozenset[str]]:
    """Return the levels of each log file of logger.conf; nothing if there is none."""
    with suppress(AsteriskError):
        section = (
            Configuration(Directory(directory), Findings()).file("logger.conf").section("logfiles")
        )
        return {
            Path(key.name).name: frozenset(
                word.strip().lower() for word in re.split(r"[\],]", key.value)
            )
            for key in (section.keys if section else ())
        }
    return {}
