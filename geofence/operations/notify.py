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


def told_healing(site: Site) -> tuple[str, ...]:
    """Write down, and tell the hook, that somebody else's change to the fence was put right."""
    now = datetime.now(UTC)
    before = site.journal.outcome() or Outcome("watch", Ending.DONE, now)
    after = replace(before, healed=before.healed + 1, healed_at=now)
    message = f"The fence was not what was applied; healed, {after.healed} times so far."
    return (*_write(site, after), *_tell(site, after.notify_command, after, "healed", message))


def _close(
    site: Site, command: str, ending: Ending, message: str, code: ExitCode
) -> tuple[str, ...]:
    """Write the ending down and tell of it; what went wrong with either, a sentence each."""
    before = site.journal.outcome()
    recovered = before is not None and before.ending is not Ending.DONE
    quiet = command == "restore" and ending is Ending.DONE and not recovered
    hook = before.notify_command if before is not None and quiet else _hook(site, before)
    after = replace(
        before or Outcome(command, ending, datetime.now(UTC)),
        command=command,
        ending=ending,
        at=datetime.now(UTC),
        message=message,
        notify_command=hook,
    )
    written = _write(site, after)
    if ending is not Ending.DONE:
        return (*written, *_tell(site, hook, after, str(ending), message, code=code))
    if before is not None and recovered:
        return (*written, *_tell(site, hook, after, "recovered", f"After: {before.message}"))
    return written


def _hook(site: Site, before: Outcome | None) -> tuple[str, ...]:
    """The command of the rules, or of the last that loaded if these do not."""
    try:
        return site.policy().notify_command
    except GeofenceError:
        return before.notify_command if before else ()


def _write(site: Site, outcome: Outcome) -> tuple[str, ...]:
    try:
        # Another run, tidying up, takes a file that is being written for what a killed one left.
        with exclusive(site.state_directory, site.lock_seconds):
            site.journal.write_outcome(outcome)
    except (BusyError, StateError) as error:
        return (str(error),)
    return ()


def _tell(  # noqa: PLR0913 - each is one of the facts
    site: Site,
    hook: tuple[str, ...],
    outcome: Outcome,
    event: str,
    message: str,
    *,
    code: ExitCode = ExitCode.DONE,
) -> tuple[str, ...]:
    if not hook:
        return ()
    facts = {
        "event": event,
        "command": outcome.command,
        "exit_code": int(code),
        "message": message,
        "healed": outcome.healed,
        "at": datetime.now(UTC).isoformat(),
        "host": socket.gethostname(),
        "state_directory": str(site.state_directory),
    }
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
