"""Compare the kernel with what was applied, and repair what other programs changed."""

from __future__ import annotations

from dataclasses import replace

from geofence.errors import BusyError, GeofenceError, unexpected
from geofence.model.plan import Plan
from geofence.operations.local_networks import follow
from geofence.operations.outcome import told_failing, told_healing
from geofence.operations.report import RunReport
from geofence.operations.restore import restore
from geofence.operations.site import Site
from geofence.wording import plural


def repair(site: Site) -> RunReport:
    """Restore the last good generation where the kernel differs from it; count and tell repairs.

    Raises:
        BusyError: another run is changing the fence.
        GeofenceError: the fence could not be repaired, which ``[notify]`` has been told.
    """
    try:
        report = restore(site)
    except BusyError:
        raise  # says nothing of the fence
    except Exception as error:
        for note in told_failing(site, reason(error)):
            error.add_note(note)
        raise
    report = report.with_notes(told_failing(site, ""))
    if report.plan.is_empty:
        return report
    return report.with_notes((*_said(report.plan), *told_healing(site)))


def repair_and_follow(site: Site) -> RunReport:
    """Repair, then trust local networks where they are now.

    What goes wrong with the networks is told in the report: the fence is up all the same.

    Raises:
        BusyError: another run is changing the fence.
        GeofenceError: the fence could not be repaired, which ``[notify]`` has been told.
    """
    repaired = repair(site)
    try:
        followed = follow(site)
    except GeofenceError as error:
        note = f"Local networks are trusted as before: {error}"
        return replace(repaired, notes=(*repaired.notes, note), degraded=True)
    if followed.plan.is_empty:
        return repaired.with_notes(followed.notes)
    return replace(followed, degraded=repaired.degraded).with_notes(repaired.notes)


def reason(error: Exception) -> str:
    """Return why something failed, in a sentence."""
    if isinstance(error, GeofenceError):
        return str(error)
    return f"An unexpected {unexpected(error)} ended it."


def _said(plan: Plan) -> tuple[str, ...]:
    """What was found; nothing where only leftovers were cleared away."""
    if not (plan.set_changes or plan.rules_differ):
        return ()
    down = " and ".join(family.replace("ipv", "IPv") for family in plan.observed.unfenced)
    if down:
        return (f"The fence was down for {down}: its rules were missing. It is up again.",)
    rules = plural(len(plan.rules_added) + len(plan.rules_removed), "rule")
    sets = plural(len(plan.set_changes), "set")
    return (f"The fence was not what was applied ({rules} and {sets} differed). It is repaired.",)
