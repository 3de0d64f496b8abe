"""``restore``: apply the last good generation, without network and lists."""

from __future__ import annotations

from contextlib import ExitStack

from geofence.errors import LockError, StateError
from geofence.flows.count import any_flow
from geofence.model.frozen import replace
from geofence.model.generation import Generation
from geofence.model.plan import Plan
from geofence.operations.report import RunReport
from geofence.operations.runtime import put_in_force
from geofence.operations.site import Site
from geofence.state.lock import exclusive
from geofence.state.outcomes import Probation
from geofence.state.removal import forget_removal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.model.notes import Note
    from geofence.model.ruleset import Ruleset


def restore(site: Site) -> RunReport:
    """Apply the last good generation: no network, no lists, no writable disk.

    With none usable, ``[boot] without_ruleset`` decides; where nothing was ever applied, nothing is
    changed.
    """
    if not site.state_directory.is_dir():
        return _without_record(site)
    with ExitStack() as held:
        unlocked = _locked(site, held)
        if not unlocked:
            site.tidy()
            forget_removal(site.state_directory)
        return _restore(site, unlocked)


def _locked(site: Site, held: ExitStack) -> tuple[Note, ...]:
    """Hold the lock; return a note where the file system has no locks."""
    try:
        held.enter_context(exclusive(site.state_directory, site.lock_seconds))
    except LockError as error:
        return _problems(error)
    return ()


def _restore(site: Site, notes: tuple[Note, ...]) -> RunReport:
    over = _lapsed(site)  # what still waits to be confirmed is meant to be in force for now
    generation, damaged = _last_good(site, over)
    if generation is not None:
        another = bool(damaged) or over is not None
        report = _restored(site, generation, (*notes, *damaged), another=another)
    elif damaged or (over.former if over else site.generations.ever_recorded()):
        from geofence.operations.without_ruleset import restore_without_ruleset

        report = restore_without_ruleset(site, (*notes, *damaged))
    else:
        if over is not None:
            from geofence.operations.remove import remove_fence

            remove_fence(site)  # there was none before: the one in the kernel is unconfirmed
        report = _without_record(site, notes)
    return report if over is None else _forgetting(site, over, report)


def _lapsed(site: Site) -> Probation | None:
    """Return the pending confirmation that is over; imported where there is one."""
    if site.journal.probation() is None:
        return None
    from geofence.operations.confirm import lapsed

    return lapsed(site)


def _without_record(site: Site, notes: tuple[Note, ...] = ()) -> RunReport:
    # Imported here: where a generation is restored, neither rules nor local networks are read.
    from geofence.operations.without_ruleset import restore_without_record

    return restore_without_record(site, notes)


def _last_good(site: Site, over: Probation | None) -> tuple[Generation | None, tuple[Note, ...]]:
    """Return the newest generation that counts and can be read, and notes on damaged ones."""
    at_most = None if over is None else over.former or 0
    try:
        generation, damaged = site.generations.newest(at_most)
    except StateError as error:
        return None, _problems(error)
    return generation, _problems(*damaged)


def _problems(*reasons: object) -> tuple[Note, ...]:
    """Return notes on what is wrong; imported here, since at boot there is nothing as a rule."""
    if not reasons:
        return ()
    from geofence.model.notes import problem

    return tuple(problem(str(reason)) for reason in reasons)


def _restored(
    site: Site, generation: Generation, notes: tuple[Note, ...], *, another: bool
) -> RunReport:
    """Apply a generation; ``another``: it is not what was applied last."""
    chosen = site.choose_again(generation, rivals=False)  # 'geofence status' tells of them
    applied, missed = put_in_force(site, chosen.backend, generation.ruleset)
    if not applied.plan.is_empty:
        number = generation.number
        site.log_change("restore", f"generation {number} is in force again", number)
    again = _unblocked(generation.ruleset) if another else ()
    again = (*_forget_unwatched(applied.plan), *again)
    wrong = (*notes, *_problems(applied.untidy)) if applied.untidy else notes
    wrong = (*wrong, *missed)
    return RunReport(
        applied.plan,
        chosen.reason,
        generation.number,
        notes=(*wrong, *again),
        degraded=bool(wrong),
    )


def _unblocked(ruleset: Ruleset) -> tuple[Note, ...]:
    from geofence.operations.remove import unblock_connections

    return unblock_connections(ruleset)


def _forgetting(site: Site, over: Probation, report: RunReport) -> RunReport:
    """Forget the unconfirmed change; a disk that cannot be written to does not undo the return."""
    from geofence.model.notes import Note, NoteKind
    from geofence.operations.confirm import forget

    try:
        forget(site, over)
    except StateError as error:
        return replace(report, notes=(*report.notes, *_problems(error)), degraded=True)
    unconfirmed = Note(NoteKind.UNCONFIRMED, "", {"generation": report.generation})
    return replace(report, notes=(*report.notes, unconfirmed))


def _forget_unwatched(made: Plan) -> tuple[Note, ...]:
    """Let connections that began while there was no fence begin anew; return notes."""
    if not any_flow():  # at boot there is none
        return ()
    from geofence.operations.live_flows import forget_unwatched

    return forget_unwatched(made.desired, made.observed)
