"""``doctor``: looks for what leads to silence, to lost calls or to a false sense of safety."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geofence.doctor.checks import findings, worst_first
from geofence.doctor.evidence import Evidence
from geofence.doctor.findings import Finding, Severity, Unchecked
from geofence.errors import GeofenceError
from geofence.operations.evidence import gather
from geofence.operations.site import Site

if TYPE_CHECKING:
    from geofence.operations.targets.site import TargetSite


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
    examined = examined or Examined()
    evidence = evidence_of(site, examined)
    clusters = DoctorReport((), ()) if examined.offline else _of_clusters(site)
    return _together(DoctorReport(findings(evidence), evidence.unchecked), clusters)


def doctor_of_cluster(site: Site, name: str) -> DoctorReport:
    """Examine the cluster of one target; change nothing.

    Raises:
        RulesError: the rules do not load.
        UsageError: they have no such target.
    """
    # Not at the top: most hosts have no targets.
    from geofence.operations.targets.site import target_site

    return examine_cluster(target_site(site, name))


def examine_cluster(place: TargetSite) -> DoctorReport:
    """Examine the cluster of a target; change nothing. Never fails, as ``doctor``."""
    from geofence.doctor.cluster import cluster_findings
    from geofence.operations.targets.evidence import cluster_evidence

    evidence, unchecked = cluster_evidence(place)
    return DoctorReport(worst_first(cluster_findings(evidence)), unchecked)


def _of_clusters(site: Site) -> DoctorReport:
    """Examine the clusters of all targets; rules that do not load are a finding elsewhere."""
    try:
        names = [target.name for target in site.policy().targets]
    except GeofenceError:
        return DoctorReport((), ())
    return _together(*(doctor_of_cluster(site, name) for name in names))


def _together(*reports: DoctorReport) -> DoctorReport:
    return DoctorReport(
        worst_first(found for report in reports for found in report.findings),
        tuple(unchecked for report in reports for unchecked in report.unchecked),
    )


def evidence_of(site: Site, examined: Examined) -> Evidence:
    """Return the evidence that checks look at."""
    return gather(
        site,
        asterisk=examined.asterisk,
        root=examined.root,
        offline=examined.offline,
        console=examined.console,
    )
