"""The outcome of runs: recorded, and told to whom ``[notify]`` names.

A failure is recorded until a run shows that it is over. So a recovery is told once, by the run that
brings it. ``restore`` at boot proves that the fence is up, not that a list source can be reached.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from geofence.errors import (
    BusyError,
    ExitCode,
    GeofenceError,
    GuardRefusal,
    StateError,
    UsageError,
    unexpected,
)
from geofence.lean import UTC, datetime
from geofence.model.frozen import replace
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.state.files import refuse_foreign
from geofence.state.lock import exclusive
from geofence.state.outcomes import Ended, Ending, RunOutcome
from geofence.translation import english

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.model.notes import Note
    from geofence.model.policy import Policy

_WATCH = "watch"
"""Stands for the daemon's checks between refreshes, in place of a command."""
_APPLY = "apply"
_RESTORE = "restore"
_REFRESH = "refresh"
_ROLLBACK = "rollback"


def told(site: Site, command: str, operation: Callable[[], RunReport]) -> RunReport:
    """Run an operation, record its outcome, and tell the hook if there is news.

    An unexpected exception is recorded and told, too, before it is raised again.

    Raises:
        GeofenceError: what the operation raised.
    """
    try:
        report = operation()
    except (BusyError, UsageError):
        raise  # says nothing of the fence
    except GeofenceError as error:
        ending = Ending.REFUSED if isinstance(error, GuardRefusal) else Ending.FAILED
        from geofence.model.notes import problem
        from geofence.sentences import sentence

        for note in _close(site, command, ending, english(str(error)), error.exit_code):
            # The error that ended the run may also have kept its outcome from the disk.
            if note != problem(error):
                error.add_note(sentence(note))
        raise
    except Exception as error:
        message = (
            f"An unexpected {unexpected(error)} ended it. The fence is either unchanged or fully "
            "updated."
        )
        from geofence.sentences import sentence

        for note in _close(site, command, Ending.FAILED, message, ExitCode.FAILED):
            error.add_note(sentence(note))
        raise
    ending, code = Ending.DONE, ExitCode.DONE
    if report.degraded:
        ending, code = Ending.DEGRADED, ExitCode.DEGRADED
    closed = _close(site, command, ending, _text(report.notes), code)
    told_of = (*closed, *_tell_news(site, command, report.news))
    return report.with_notes((*told_of, *_measured(site, command)))


def _measured(site: Site, command: str) -> tuple[Note, ...]:
    """Write metrics of this host where the rules say so.

    ``restore`` at boot does not wait for the rules.
    """
    if command == _RESTORE or site.target:
        return ()
    from geofence.operations.after import write_metrics

    return write_metrics(site)


def _text(notes: tuple[Note, ...]) -> str:
    """Return notes as records and the hook have them, in English."""
    if not notes:
        return ""
    from geofence.sentences import sentences

    return " ".join(map(english, sentences(notes)))


def _tell(  # noqa: PLR0913 - each is one of the facts
    site: Site,
    command: str,
    outcome: RunOutcome,
    event: str,
    message: str,
    *,
    code: ExitCode = ExitCode.DONE,
) -> tuple[Note, ...]:
    """Tell all that the rules name; imported where there is something to tell."""
    from geofence.operations.notify import tell

    return tell(site, command, outcome, event, message, code=code)


def _tell_news(site: Site, command: str, news: tuple[Note, ...]) -> tuple[Note, ...]:
    """Tell the hook the news of a run that went well."""
    if not news:
        return ()
    return _tell(site, command, _watched(site.journal.outcome()), "notice", _text(news))


def told_failing(site: Site, why: str) -> tuple[Note, ...]:
    """Record, and tell the hook, that the fence cannot be repaired, or can be again.

    Args:
        site: the installation.
        why: the reason, in English; empty if it can. Told once, even if the reason changes.
    """
    known = site.journal.outcome()
    if bool(why) == bool(known and known.failing):
        return ()
    before, after, notes = _update(site, lambda outcome: replace(_watched(outcome), failing=why))
    if why:
        message = f"The fence cannot be repaired: {why}"
        told_of = _tell(site, _WATCH, after, "failed", message, code=ExitCode.FAILED)
    else:
        told_of = _tell_recovered(site, _WATCH, before, after)
    return (*notes, *told_of)


def told_healing(site: Site) -> tuple[Note, ...]:
    """Record, and tell the hook, that another program's change to the fence was repaired."""
    _, after, notes = _update(site, lambda outcome: _healed(_watched(outcome)))
    message = (
        "The fence differed from what was applied and was repaired "
        f"({after.healed} repairs so far)."
    )
    return (*notes, *_tell(site, _WATCH, after, "healed", message))


def note_unconfirmed(site: Site, why: str) -> None:
    """Record that a change was not confirmed; the caller holds the lock.

    Any later run that brings the rules into the kernel shows that it is over.
    """
    known = site.journal.outcome()
    run = Ended(_APPLY, Ending.FAILED, datetime.now(UTC), why)
    with suppress(StateError):  # a full disk must not stop the return to the previous fence
        site.journal.write_outcome(_after(known, run))


def tell_unconfirmed(site: Site, why: str) -> tuple[Note, ...]:
    """Tell the hook the same, without the lock, since a hook may run geofence itself."""
    known = _watched(site.journal.outcome())
    return _tell(site, _APPLY, known, str(Ending.FAILED), why, code=ExitCode.FAILED)


def _watched(known: RunOutcome | None) -> RunOutcome:
    return known or RunOutcome(_WATCH, Ending.DONE, datetime.now(UTC))


def _healed(outcome: RunOutcome) -> RunOutcome:
    return replace(outcome, healed=outcome.healed + 1, healed_at=datetime.now(UTC))


def _close(
    site: Site, command: str, ending: Ending, message: str, code: ExitCode
) -> tuple[Note, ...]:
    """Record the outcome and tell it; return what went wrong with either."""
    run = Ended(command, ending, datetime.now(UTC), message)

    def closed(before: RunOutcome | None) -> RunOutcome:
        after = _after(before, run)
        # At boot the rules are not read for a hook that has nothing to hear.
        quiet = command == _RESTORE and ending is Ending.DONE and not _recovered(before, after)
        return after if quiet else _with_recipients(site, before, after)

    before, after, notes = _update(site, closed)
    if ending is not Ending.DONE:
        return (*notes, *_tell(site, command, after, str(ending), message, code=code))
    return (*notes, *_tell_recovered(site, command, before, after))


def _after(before: RunOutcome | None, run: Ended) -> RunOutcome:
    """Return the outcome on record after a run."""
    known = _watched(before)
    done = run.ending is Ending.DONE
    left = tuple(bad for bad in known.unresolved if not (done and _shows_over(run.command, bad)))
    if not done:
        left = (*(bad for bad in left if bad.command != run.command), run)
    failing = "" if done else known.failing
    return replace(
        known,
        command=run.command,
        ending=run.ending,
        at=run.at,
        message=run.message,
        failing=failing,
        unresolved=left,
    )


def _shows_over(command: str, bad: Ended) -> bool:
    """Whether a run of the command that is done shows that what ended badly is over."""
    return _reach(command) >= _reach(bad.command)


def _reach(command: str) -> int:
    """Return how far a command reaches: 0 the kernel, 1 rules too, 2 list sources too."""
    return {_RESTORE: 0, _ROLLBACK: 0, _REFRESH: 2}.get(command, 1)


def _troubles(outcome: RunOutcome | None) -> tuple[str, ...]:
    """Return everything that is wrong."""
    if outcome is None:
        return ()
    bad = tuple(each.message or f"{each.command} {each.ending}" for each in outcome.unresolved)
    return (*bad, outcome.failing) if outcome.failing else bad


def _recovered(before: RunOutcome | None, after: RunOutcome) -> bool:
    """Whether something was wrong, and nothing is any more."""
    return bool(_troubles(before)) and not _troubles(after)


def _tell_recovered(
    site: Site, command: str, before: RunOutcome | None, after: RunOutcome
) -> tuple[Note, ...]:
    if not _recovered(before, after):
        return ()
    return _tell(site, command, after, "recovered", f"After: {' '.join(_troubles(before))}")


def _with_recipients(site: Site, before: RunOutcome | None, after: RunOutcome) -> RunOutcome:
    """Return an outcome with whom the rules name, or the last rules that loaded."""
    try:
        known: Policy | RunOutcome | None = site.policy()
    except Exception:  # noqa: BLE001 - whatever is wrong with the rules, somebody must be told
        known = before
    if known is None:
        return replace(after, notify_command=(), notify_mail=(), notify_webhook_file="")
    return replace(
        after,
        notify_command=known.notify_command,
        notify_mail=known.notify_mail,
        notify_webhook_file=known.notify_webhook_file,
    )


def _update(
    site: Site, change: Callable[[RunOutcome | None], RunOutcome]
) -> tuple[RunOutcome | None, RunOutcome, tuple[Note, ...]]:
    """Change the recorded outcome; return it before and after, and what went wrong."""
    if not site.state_directory.exists():  # nothing was ever applied here, so there is no record
        return None, change(None), ()
    try:
        # Another run may be writing its own, and one that tidies up would remove a file that is
        # being written.
        refuse_foreign(site.state_directory)
        with exclusive(site.state_directory, site.lock_seconds):
            before = site.journal.outcome()
            after = change(before)
            site.journal.write_outcome(after)
    except (BusyError, StateError) as error:
        from geofence.model.notes import problem

        before = site.journal.outcome()
        return before, change(before), (problem(error),)
    return before, after, ()
