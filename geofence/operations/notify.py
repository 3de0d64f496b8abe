"""Whoever wants to know hears of failure, recovery and refusals: ``[notify] command``.

The command gets the facts as JSON on its standard input; no shell is involved. Whether it was told
before is written down, so that a recovery is told once, by whichever run brings it.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from geofence.errors import BusyError, ExitCode, GeofenceError, GuardRefusal, StateError, UsageError
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.state.journal import Ending, Outcome
from geofence.state.lock import exclusive

_HOOK_SECONDS = 30
_WATCH = "watch"
"""What the daemon does between refreshes, in the place of a command's name."""


def told(site: Site, command: str, operation: Callable[[], RunReport]) -> RunReport:
    """Run an operation, write its ending down, and tell the hook if there is news.

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
            error.add_note(note)
        raise
    ending, code = Ending.DONE, ExitCode.DONE
    if report.degraded:
        ending, code = Ending.DEGRADED, ExitCode.DEGRADED
    return report.with_notes(_close(site, command, ending, " ".join(report.notes), code))


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
    event, code, message = "failed", ExitCode.FAILED, f"The fence cannot be put right: {why}"
    if not why:
        event, code, message = "recovered", ExitCode.DONE, f"After: {_watched(before).failing}"
    return (*notes, *_tell(site, _WATCH, after, event, message, code=code))


def told_healing(site: Site) -> tuple[str, ...]:
    """Write down, and tell the hook, that somebody else's change to the fence was put right."""
    _, after, notes = _update(site, lambda outcome: _healed(_watched(outcome)))
    message = f"The fence was not what was applied; healed, {after.healed} times so far."
    return (*notes, *_tell(site, _WATCH, after, "healed", message))


def _watched(known: Outcome | None) -> Outcome:
    return known or Outcome(_WATCH, Ending.DONE, datetime.now(UTC))


def _healed(outcome: Outcome) -> Outcome:
    return replace(outcome, healed=outcome.healed + 1, healed_at=datetime.now(UTC))


def _close(
    site: Site, command: str, ending: Ending, message: str, code: ExitCode
) -> tuple[str, ...]:
    """Write the ending down and tell of it; what went wrong with either, a sentence each."""

    def closed(before: Outcome | None) -> Outcome:
        quiet = command == "restore" and ending is Ending.DONE and not _is_bad(before)
        return replace(
            _watched(before),
            command=command,
            ending=ending,
            at=datetime.now(UTC),
            message=message,
            failing="" if ending is Ending.DONE or before is None else before.failing,
            notify_command=before.notify_command if before and quiet else _hook(site, before),
        )

    before, after, notes = _update(site, closed)
    if ending is not Ending.DONE:
        return (*notes, *_tell(site, command, after, str(ending), message, code=code))
    if before is not None and _is_bad(before):
        was = before.failing or before.message
        return (*notes, *_tell(site, command, after, "recovered", f"After: {was}"))
    return notes


def _is_bad(outcome: Outcome | None) -> bool:
    return outcome is not None and (outcome.ending is not Ending.DONE or bool(outcome.failing))


def _hook(site: Site, before: Outcome | None) -> tuple[str, ...]:
    """The command of the rules, or of the last that loaded if these do not."""
    try:
        return site.policy().notify_command
    except GeofenceError:
        return before.notify_command if before else ()


def _update(
    site: Site, change: Callable[[Outcome | None], Outcome]
) -> tuple[Outcome | None, Outcome, tuple[str, ...]]:
    """Write down what becomes of the last outcome: that, this, and what went wrong with it."""
    try:
        # Another run may be writing its own; and one that tidies up takes a file that is being
        # written for what a killed one left.
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
        done = subprocess.run(  # noqa: S603 - the operator's own command, from rules only root writes
            hook,
            input=json.dumps(facts),
            text=True,
            errors="replace",
            timeout=_HOOK_SECONDS,
            check=False,
            capture_output=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return (f"[notify] command could not be run: {error}.",)
    if done.returncode:
        return (f"[notify] command {hook[0]} ended with {done.returncode}: {done.stderr.strip()}",)
    return ()


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
