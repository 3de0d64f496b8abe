"""``doctor``: looks for what leads to silence, to lost calls or to a false sense of safety."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geofence.doctor.checks import findings
from geofence.doctor.evidence import Evidence
from geofence.doctor.findings import Finding, Severity, Unchecked
from geofence.operations.evidence import gather
from geofence.operations.site import Site


@dataclass(frozen=True, slots=True)
class Examined:
    """What is to be examined."""

    asterisk: Path | None = None
    """The directory of Asterisk's configuration; None: the one that the rules name."""
    root: Path = Path("/")
    """The system's root directory, for units and cron's tables."""
    offline: bool = False
    """Whether nobody else is asked: neither DNS nor a STUN server."""
    console: str = ""
    """The program that asks the running Asterisk; empty for the one that the rules name."""


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """The result of ``doctor``."""

    findings: tuple[Finding, ...]
    """What is wrong comes first."""
    unchecked: tuple[Unchecked, ...]
    """What could not be looked at; no finding there means nothing."""

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """Findings that are not only notices."""
        return tuple(each for each in self.findings if each.severity is Severity.WRONG)


def doctor(site: Site, examined: Examined | None = None) -> DoctorReport:
    """Examine this host; change nothing.

    Never fails: what cannot be read is told.
    """
    evidence = evidence_of(site, examined or Examined())
    return DoctorReport(findings(evidence), evidence.unchecked)


def evidence_of(site: Site, examined: Examined) -> Evidence:
    """Return the evidence that checks look at."""
    return gather(
        site,
        asterisk=examined.asterisk,
        root=examined.root,
        offline=examined.offline,
        console=examined.console,
    )
