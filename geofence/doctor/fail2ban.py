"""Checks of fail2ban's jails that read Asterisk's log. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from geofence.doctor.evidence import Evidence, Jail
from geofence.doctor.findings import Finding, FindingKind


def asks(evidence: Evidence) -> Iterator[Finding]:
    """Find jails that ban exceptions, since they do not ask which there are."""
    for jail in evidence.jails or ():
        if not jail.asks:
            yield Finding(FindingKind.FAIL2BAN_IGNORES_EXCEPTIONS, jail.name)


def counts(evidence: Evidence) -> Iterator[Finding]:
    """Find jails that count one failed attempt twice."""
    for jail in evidence.jails or ():
        why, files = _twice(jail)
        if why:
            data = {"why": why, "files": sorted(files)}
            yield Finding(FindingKind.FAIL2BAN_COUNTS_TWICE, jail.name, data)


def _twice(jail: Jail) -> tuple[str, set[str]]:
    """Return why a jail does, with the files; empty if it does not."""
    by_stream = {
        stream: {path for path, streams in jail.files.items() if stream in streams}
        for stream in sorted(jail.streams)
    }
    fed = [paths for paths in by_stream.values() if paths]
    if len(fed) > 1:
        return "both-streams", set().union(*fed)
    again = next((paths for paths in fed if len(paths) > 1), None)
    return ("same-line", again) if again else ("", set())


CHECKS = (asks, counts)
