"""Compare the kernel with what was applied, and repair what other programs changed."""

from __future__ import annotations

from dataclasses import replace

from geofence.errors import BusyError, GeofenceError, unexpected
from geofence.model.notes import Note, NoteKind
from geofence.model.plan import Plan
from geofence.operations.after import after_check
from geofence.operations.local_networks import follow
from geofence.operations.outcome import told_failing, told_healing
from geofence.operations.report import RunReport
from geofence.operations.restore import restore
from geofence.operations.site import Site
from geofence.sentences import sentence
from geofence.translation import english, tr


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
        for note in told_failing(site, english(reason(error))):
            error.add_note(sentence(note))
        raise
    report = report.with_notes((*told_failing(site, ""), *after_check(site)))
    if report.plan.is_empty:
        return report
    return report.with_notes((*_said(report.plan), *told_healing(site)))


def repair_and_follow(site: Site) -> RunReport:
    """Repair, then allow local networks on the interfaces where they are now.

    A failure of the second step is a note of the report, since the fence is up.

    Raises:
        BusyError: another run is changing the fence.
        GeofenceError: the fence could not be repaired, which ``[notify]`` has been told.
    """
    repaired = repair(site)
    try:
        followed = follow(site)
    except GeofenceError as error:
        note = Note(NoteKind.LOCAL_NETWORKS_KEPT, "", {"message": str(error)})
        return replace(repaired, notes=(*repaired.notes, note), degraded=True)
    if followed.plan.is_empty:
        return repaired.with_notes(followed.notes)
    return replace(followed, degraded=repaired.degraded).with_notes(repaired.notes)


def reason(error: Exception) -> str:
    """Return why something failed, as one sentence."""
    if isinstance(error, GeofenceError):
        return str(error)
    return tr("An unexpected {error} ended it.", error=unexpected(error))


def _said(plan: Plan) -> tuple[Note, ...]:
    """Return what differed; nothing where only leftovers were removed."""
    if not (plan.set_changes or plan.rules_differ):
        return ()
    down = [str(family) for family in plan.observed.unfenced]
    if down:
        return (Note(NoteKind.FENCE_WAS_DOWN, "", {"families": down}),)
    rules, sets = len(plan.rules_added) + len(plan.rules_removed), len(plan.set_changes)
    return (Note(NoteKind.REPAIRED, "", {"rules": rules, "sets": sets}),)
