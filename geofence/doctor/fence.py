"""Checks of the fence itself, and of what keeps it up: boot, lists, the clock. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from geofence.doctor.evidence import Evidence
from geofence.doctor.findings import Finding, FindingKind
from geofence.model.notes import NoteKind
from geofence.model.prefixes import Family
from geofence.model.shield import ShieldState, Why

_CLOCKS_DIFFER = timedelta(hours=1)
"""A larger difference than clocks of hosts have."""


def fence_up(evidence: Evidence) -> Iterator[Finding]:
    """Find that packets of a family enter no fence, or another one than was applied."""
    fence = evidence.fence
    if fence is None:
        return
    if fence.unfenced:
        families = [str(each) for each in fence.unfenced]
        other = len(families) < len(Family)
        yield Finding(FindingKind.NO_FENCE, "", {"families": families, "other": other})
    elif fence.differences:
        yield Finding(FindingKind.FENCE_DIFFERS, "", {"differences": fence.differences})
    if fence.failing:
        yield Finding(
            FindingKind.RUN_FAILED, "daemon", {"ending": "failed", "message": fence.failing}
        )


def rules(evidence: Evidence) -> Iterator[Finding]:
    """Find that the rules do not load, wait to be applied, or only observe."""
    fence = evidence.fence
    if fence is None:
        return
    if fence.rules_error:
        yield Finding(FindingKind.RULES_BROKEN, "", {"message": fence.rules_error})
    if fence.rules_edited and not fence.unfenced:
        yield Finding(FindingKind.RULES_NOT_APPLIED)
    observed = evidence.ruleset.observed if evidence.ruleset else ()
    if observed:
        yield Finding(FindingKind.OBSERVED_ONLY, "", {"services": list(observed)})


def shield(evidence: Evidence) -> Iterator[Finding]:
    """Find that the rules ask for the shield, and it is off."""
    found = evidence.fence.shield if evidence.fence else None
    if found is None or (found.kept and found.state is not ShieldState.OFF):
        return
    reasons = [{"why": each.why.value, "subject": each.subject} for each in found.reasons]
    mild = found.kept and bool(reasons) and not any(r.why in _FAULTS for r in found.reasons)
    yield Finding(FindingKind.SHIELD_OFF, "", {"kept": found.kept, "reasons": reasons}, mild=mild)


_FAULTS = {Why.DISAGREEMENT, Why.LOST_MARKS, Why.KERNEL, Why.RIGHTS, Why.BPFFS}
"""What keeps a shield down that should be up; other reasons lie in rules that may be meant so."""


def exceptions(evidence: Evidence) -> Iterator[Finding]:
    """Find exceptions that are enabled and allow nobody."""
    fence = evidence.fence
    if fence is None or fence.unfenced:
        return
    for each in fence.inactive:
        data = {"obstacle": str(each.obstacle), "hosts": list(each.hosts)}
        yield Finding(FindingKind.EXCEPTION_INACTIVE, each.name, data)


def lists(evidence: Evidence) -> Iterator[Finding]:
    """Find lists that are old, or that have not been downloaded yet."""
    fence = evidence.fence
    if fence is None:
        return
    for note in fence.stale:
        if note.kind is NoteKind.LIST_STALE:
            yield Finding(FindingKind.LIST_STALE, note.subject, dict(note.data))
    for name in fence.missing:
        yield Finding(FindingKind.LIST_MISSING, name)


def runs(evidence: Evidence) -> Iterator[Finding]:
    """Find runs that ended badly and that no later run has resolved."""
    for run in evidence.fence.unresolved if evidence.fence else ():
        data = {"ending": str(run.ending), "at": run.at.isoformat(), "message": run.message}
        yield Finding(FindingKind.RUN_FAILED, run.command, data)


def startup(evidence: Evidence) -> Iterator[Finding]:
    """Find that nothing restores the fence at boot, or renews the lists, or that others flush."""
    found, fence = evidence.startup, evidence.fence
    if found is None:
        return
    if not found.restores:
        yield Finding(FindingKind.BOOT_UNIT_MISSING, "", {"masked": found.masked})
    if not found.renews:
        yield Finding(FindingKind.NO_RENEWAL)
    if found.rival and fence is not None and fence.backend == "ipset":
        yield Finding(FindingKind.FLUSHED_BY_OTHERS, "", {"message": found.rival})


def clock(evidence: Evidence) -> Iterator[Finding]:
    """Find a clock that is before what is stored, or that nothing keeps right."""
    found = evidence.clock
    if found is None:
        return
    if found.newest is not None and found.newest - found.now > _CLOCKS_DIFFER:
        data = {
            "seconds": int((found.newest - found.now).total_seconds()),
            "stored": found.newest.isoformat(),
        }
        yield Finding(FindingKind.CLOCK_WRONG, "", data)
    elif found.synchronised is False:
        yield Finding(FindingKind.CLOCK_UNSYNCHRONISED)


CHECKS = (fence_up, rules, shield, exceptions, lists, runs, startup, clock)
