"""All checks, in the order in which findings are told: the gravest subject first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from geofence.doctor import fail2ban, fence, media, nat, other_programs, ports, trunks
from geofence.doctor.evidence import Evidence
from geofence.doctor.findings import Finding, FindingKind, Severity

CHECKS = tuple(
    check
    for group in (fence, ports, media, other_programs, trunks, nat, fail2ban)
    for check in group.CHECKS
)


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Return all findings; what is wrong first."""
    return worst_first(each for check in (*CHECKS, _refused) for each in check(evidence))


def worst_first(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings with those at the front that are not only notices."""
    return tuple(sorted(found, key=lambda each: each.severity is Severity.NOTICE))


def _refused(evidence: Evidence) -> Iterator[Finding]:
    """Find files that Asterisk refuses."""
    for name in evidence.reading.invalid if evidence.reading else ():
        yield Finding(FindingKind.CONFIGURATION_REFUSED, name)
