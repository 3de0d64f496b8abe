"""Whoever wants to know hears of failure, recovery and refusals: ``[notify] command``.

The command gets the facts as JSON on its standard input; no shell is involved. What ended badly is
written down until a run shows that it is over, so that a recovery is told once, by the run that
brings it, and by none that proves nothing: what ``restore`` brings back at each boot is the fence,
not the source that a refresh could not reach.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from io import FileIO

from geofence.errors import (
    BusyError,
    ExitCode,
    GeofenceError,
    GuardRefusal,
    StateError,
    UsageError,
    unexpected,
)
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.state.files import refuse_foreign
from geofence.state.lock import exclusive
from geofence.state.outcomes import Ended, Ending
from geofence.state.outcomes import RunOutcome as Outcome

_HOOK_SECONDS = 30
_QUOTED_OCTETS = 1_000
"""Of what the hook said on standard error, from its end."""
_WATCH = "watch"
"""What the daemon does between refreshes, in the place of a command's name."""
_APPLY = "apply"
_RESTORE = "restore"
_REFRESH = "refresh"
_ROLLBACK = "rollback"
_AS_IT_WAS = "the fence stands as it was, or as it was meant"


def told(site: Site, command: str, operation: Callable[[], RunReport]) -> RunReport:
    """Run an operation, write its ending down, and tell the hook if there is news.

    What nobody expected is written down and told, too, before it goes on its way.

    Raises:
        GeofenceError: what the operation raised.
    """
    try:
        report = operation()
    except (BusyError, UsageError):
        raise  # says nothing of the fence
    except GeofenceError as error:
        ending = Ending.REFUSED if isinstance(error, GuardRefusal) else Ending.FAILED
        for note in _close(site, command, ending, str(error), error.exit_code):
            if note != str(error):  # what stopped the run may also keep its ending from the disk
                error.add_note(note)
        raise
    except Exception as error:
        message = f"An unexpected {unexpected(error)} ended it; {_AS_IT_WAS}."
        for note in _close(site, command, Ending.FAILED, message, ExitCode.FAILED):
            error.add_note(note)
        raise
    ending, code = Ending.DONE, ExitCode.DONE
    if report.degraded:
        ending, code = Ending.DEGRADED, ExitCode.DEGRADED
    closed = _close(site, command, ending, " ".join(report.notes), code)
    return report.with_notes((*closed, *_tell_news(site, command, report.news)))


def _tell_news(site: Site, command: str, news: tuple[str, ...]) -> tuple[str, ...]:
    """Tell the hook what it should hear though the run went well."""
    if not news:
        return ()
    return _tell(site, command, _watched(site.journal.outcome()), "notice", " ".join(news))


def told_failing(site: Site, why: str) -> tuple[str, ...]:
    """Write down, and tell the hook, that the daemon cannot keep the fence right, or can again.

    Args:
        site: the installation.
        why: it cannot; empty if it can. Told once, whatever reasons follow the first.
    """
    known = site.journal.outcome()
    if bool(why) == bool(known and known.failing):
        return ()
    before, after, notes = _update(site, lambda outcome: replace(_watched(outcome), failing=why))
    if why:
        message = f"The fence cannot be put right: {why}"
        told_of = _tell(site, _WATCH, after, "failed", message, code=ExitCode.FAILED)
    else:
        told_of = _tell_recovered(site, _WATCH, before, after)
    return (*notes, *told_of)


def told_healing(site: Site) -> tuple[str, ...]:
    """Write down, and tell the hook, that somebody else's change to the fence was put right."""
    _, after, notes = _update(site, lambda outcome: _healed(_watched(outcome)))
    message = f"The fence was not what was applied; healed, {after.healed} times so far."
    return (*notes, *_tell(site, _WATCH, after, "healed", message))


def note_unconfirmed(site: Site, why: str) -> None:
    """Write down that what was applied was not confirmed; the caller holds the lock.

    Any later run that brings the rules into the kernel shows that it is over.
    """
    known = site.journal.outcome()
    run = Ended(_APPLY, Ending.FAILED, datetime.now(UTC), why)
    with suppress(StateError):  # a full disk keeps nobody from bringing the former state back
        site.journal.write_outcome(_after(known, run))


def tell_unconfirmed(site: Site, why: str) -> tuple[str, ...]:
    """Tell the hook the same, once the lock is free: a hook may take its time, or run geofence."""
    known = _watched(site.journal.outcome())
    return _tell(site, _APPLY, known, str(Ending.FAILED), why, code=ExitCode.FAILED)


def _watched(known: Outcome | None) -> Outcome:
    return known or Outcome(_WATCH, Ending.DONE, datetime.now(UTC))


def _healed(outcome: Outcome) -> Outcome:
    return replace(outcome, healed=outcome.healed + 1, healed_at=datetime.now(UTC))


def _close(
    site: Site, command: str, ending: Ending, message: str, code: ExitCode
) -> tuple[str, ...]:
    """Write the ending down and tell of it; what went wrong with either, a sentence each."""
    run = Ended(command, ending, datetime.now(UTC), message)

    def closed(before: Outcome | None) -> Outcome:
        after = _after(before, run)
        # At boot the rules are not read for a hook that is told nothing.
        quiet = command == _RESTORE and ending is Ending.DONE and not _recovered(before, after)
        return after if quiet else replace(after, notify_command=_hook(site, before))

    before, after, notes = _update(site, closed)
    if ending is not Ending.DONE:
        return (*notes, *_tell(site, command, after, str(ending), message, code=code))
    return (*notes, *_tell_recovered(site, command, before, after))


def _after(before: Outcome | None, run: Ended) -> Outcome:
    """What is known after a run, well or badly ended."""
    known = _watched(before)
    done = run.ending is Ending.DONE
    left = tuple(bad for bad in known.unresolved if not (done and _shows_over(run.command, bad)))
    if not done:
        left = (*(bad for bad in left if bad.command != run.command), run)
    failing = "" if done else known.failing
    return replace(known, **asdict(run), failing=failing, unresolved=left)


def _shows_over(command: str, bad: Ended) -> bool:
    """Whether a run of the command that is done shows that what ended badly is over."""
    return _reach(command) >= _reach(bad.command)


def _reach(command: str) -> int:
    """How much takes part in a command: the kernel, with most the rules, in refresh the sources."""
    return {_RESTORE: 0, _ROLLBACK: 0, _REFRESH: 2}.get(command, 1)


def _troubles(outcome: Outcome | None) -> tuple[str, ...]:
    """All that is wrong."""
    if outcome is None:
        return ()
    bad = tuple(each.message or f"{each.command} {each.ending}" for each in outcome.unresolved)
    return (*bad, outcome.failing) if outcome.failing else bad


def _recovered(before: Outcome | None, after: Outcome) -> bool:
    """Whether something was wrong, and nothing is any more."""
    return bool(_troubles(before)) and not _troubles(after)


def _tell_recovered(
    site: Site, command: str, before: Outcome | None, after: Outcome
) -> tuple[str, ...]:
    if not _recovered(before, after):
        return ()
    return _tell(site, command, after, "recovered", f"After: {' '.join(_troubles(before))}")


def _hook(site: Site, before: Outcome | None) -> tuple[str, ...]:
    """The command of the rules, or of the last that loaded if these do not."""
    try:
        return site.policy().notify_command
    except Exception:  # noqa: BLE001 - whatever is the matter with the rules, somebody must hear
        return before.notify_command if before else ()


def _update(
    site: Site, change: Callable[[Outcome | None], Outcome]
) -> tuple[Outcome | None, Outcome, tuple[str, ...]]:
    """Write down what becomes of the last outcome: that, this, and what went wrong with it."""
    try:
        # Another run may be writing its own; and one that tidies up takes a file that is being
        # written for what a killed one left.
        refuse_foreign(site.state_directory)
        with exclusive(site.state_directory, site.lock_seconds):
            before = site.journal.outcome()
            after = change(before)
            site.journal.write_outcome(after)
    except (BusyError, StateError) as error:
        before = site.journal.outcome()
        return before, change(before), (str(error),)
    return before, after, ()


def _tell(  # noqa: PLR0913 - each is one of the facts
    site: Site,
    command: str,
    outcome: Outcome,
    event: str,
    message: str,
    *,
    code: ExitCode = ExitCode.DONE,
) -> tuple[str, ...]:
    hook = outcome.notify_command
    if not hook:
        return ()
    facts = hook_facts(site, command, outcome, event=event, message=message, code=code)
    try:
        ended_with, said = _run_hook(hook, json.dumps(facts))
    except subprocess.TimeoutExpired:
        stopped = f"did not end within {_HOOK_SECONDS} seconds and was stopped"
        return (f"[notify] command {hook[0]} {stopped}.",)
    except OSError as error:
        return (f"[notify] command could not be run: {error}.",)
    if ended_with:
        return (f"[notify] command {hook[0]} ended with {ended_with}: {said}",)
    return ()


def _run_hook(hook: tuple[str, ...], facts: str) -> tuple[int, str]:
    """Run the hook to its end: its exit code, and the end of what it said on standard error.

    No pipe leads to or from it: whatever it leaves in the background would hold that open, and this
    run would wait for it. What it reads and writes instead is in memory, as no disk need be
    writable.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it took too long and was stopped.
    """
    with _in_memory("facts") as given, _in_memory("errors") as errors:
        given.write(facts.encode())
        given.seek(0)
        with subprocess.Popen(  # noqa: S603 - the operator's own command, from rules only root writes
            hook,
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        ) as process:
            code = _await(process)
        length = errors.seek(0, os.SEEK_END)
        errors.seek(max(0, length - _QUOTED_OCTETS))
        return code, errors.read(_QUOTED_OCTETS).decode(errors="replace").strip()


def _await(process: subprocess.Popen[bytes]) -> int:
    """Wait for its end; if it takes too long, stop it and all that it has started."""
    try:
        return process.wait(_HOOK_SECONDS)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)


def _in_memory(name: str) -> FileIO:
    """An empty file that is on no disk."""
    return FileIO(os.memfd_create(f"geofence-{name}"), "r+")


def hook_facts(  # noqa: PLR0913 - each is one of the facts
    site: Site, command: str, outcome: Outcome, *, event: str, message: str, code: ExitCode
) -> dict[str, object]:
    """What the hook is told; ``docs/json.md`` explains the keys."""
    return {
        "event": event,
        "command": command,
        "exit_code": int(code),
        "message": message,
        "healed": outcome.healed,
        "at": datetime.now(UTC).isoformat(),
        "host": socket.gethostname(),
        "state_directory": str(site.state_directory),
    }
