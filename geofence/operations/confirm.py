"""Second thoughts: a ruleset that goes again by itself unless it is confirmed in time.

A process of its own, which outlives the terminal, the shell and the command that applied, waits and
returns to the former state. Should that process die too, any later run does it, and so does
``restore`` after a reboot.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from geofence.apply import apply_ruleset, fence_is_up, remove_all
from geofence.errors import BusyError, GeofenceError, StateError, UsageError
from geofence.operations.counters import note_counting
from geofence.operations.outcome import note_unconfirmed, tell_unconfirmed
from geofence.operations.site import Site
from geofence.state.lock import exclusive
from geofence.state.outcomes import Probation

_PATIENCE = 3_600.0
"""Seconds that the watchman waits for another run to end; nobody is there to try again."""
_START_TIME = 19
"""Of the fields behind the name of the program."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def begin(site: Site, seconds: int) -> None:
    """Put what is about to be applied on probation; the caller holds the lock.

    Raises:
        StateError: it could not be written down, or there would be no way back; nothing was
            changed.
        BackendError: whether there would be one cannot be told; nothing was changed.
    """
    newest, _ = site.generations.newest()
    if newest is None and fence_is_up():
        raise StateError(
            "The fence that stands is recorded by no usable generation, so there would be no way "
            "back to it; run 'geofence apply' without --confirm-within."
        )
    token = os.urandom(8).hex()
    deadline = datetime.now(UTC) + timedelta(seconds=seconds)
    former = newest.number if newest else None
    until = _since_boot() + seconds
    probation = Probation(token, former, deadline, until, _boot())
    site.journal.begin_probation(probation)
    number = _start_watchman(site, token, seconds)
    site.journal.begin_probation(replace(probation, watchman=_process(str(number))))


def confirm(site: Site) -> None:
    """Keep what is on probation.

    Raises:
        UsageError: nothing is, or no longer.
    """
    if not site.state_directory.is_dir():
        raise UsageError("Nothing waits to be confirmed: nothing was ever applied here.")
    with exclusive(site.state_directory, site.lock_seconds):
        site.tidy()
        probation = site.journal.probation()
        if probation is None:
            raise UsageError("Nothing waits to be confirmed; if it did, the former state is back.")
        if not is_over(probation):
            site.journal.end_probation()
            newest, _ = site.generations.newest()
            number = newest.number if newest else None
            site.log_change("confirm", f"generation {number} stays in force", number)
            return
        _return(site, probation)
    late = UsageError("The time to confirm is over; the former state is back.")
    for note in tell_unconfirmed(site, _unconfirmed(probation)):
        late.add_note(note)
    raise late


def lapsed(site: Site) -> Probation | None:
    """The probation that nobody will undo, since it is over or its watchman is gone.

    A container that is started again keeps the boot id of its host, and the clock runs on.
    """
    probation = site.journal.probation()
    if probation is None or not (is_over(probation) or _is_unwatched(probation)):
        return None
    return probation


def _is_unwatched(probation: Probation) -> bool:
    """Whether the process that was to return to the former state has ended."""
    return bool(probation.watchman) and probation.watchman != _process(probation.watchman)


def _process(known: str) -> str:
    """Number and start time of the process of a number, if it runs; else empty.

    The start time, field 22 of proc(5)'s stat, tells it from a later one of the same number.
    """
    number = known.partition(" ")[0]
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return f"{number} {fields[_START_TIME]}" if fields[0] != "Z" else ""


def refuse_pending(site: Site) -> None:
    """See that nothing waits to be confirmed, before work is done for nothing.

    Raises:
        BusyError: a probation goes on.
    """
    probation = site.journal.probation()
    if probation is not None and not is_over(probation):
        raise BusyError(
            "What was applied last still waits to be confirmed, until "
            f"{probation.deadline:%H:%M:%S} UTC; run 'geofence confirm', or try again then."
        )


def settle(site: Site) -> None:
    """Return to the former state if a probation is over; the caller holds the lock.

    Raises:
        BusyError: a probation goes on.
    """
    refuse_pending(site)
    probation = site.journal.probation()
    if probation is not None:
        _return(site, probation)


def watch(site: Site, token: str, seconds: float) -> bool:
    """Wait, then return to the former state unless confirmed; whether that was needed.

    How it went is written down and told the hook, since nobody is there to read it.
    """
    time.sleep(seconds)
    with exclusive(site.state_directory, _PATIENCE):
        site.tidy()
        probation = site.journal.probation()
        if probation is None or probation.token != token:
            return False
        why = _unconfirmed(probation)
        try:
            _return(site, probation)
        except GeofenceError as error:
            why = f"The return after --confirm-within failed: {error}"
            note_unconfirmed(site, why)
    tell_unconfirmed(site, why)
    return True


def is_over(probation: Probation) -> bool:
    """Whether the time to confirm is over."""
    return probation.boot != _boot() or _since_boot() >= probation.until


def _since_boot() -> float:
    """Seconds since the host was started, those it slept included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _return(site: Site, probation: Probation) -> None:
    """Bring the former state back, kernel first, so that a killed return is simply done again.

    Whom the unconfirmed one cut off is let in again.

    Raises:
        StateError: the former generation and all before it are damaged; what was applied last
            stays, for what else there is would be no better.
    """
    # Not at the top: restore at boot needs nothing of live flows, and should not wait for it.
    from geofence.operations.live_flows import let_in_again

    if probation.former is None:
        remove_all()
        let_in_again(None)
    else:
        former, damaged = site.generations.newest(probation.former)
        if former is None:
            site.journal.end_probation()
            why = " ".join(map(str, damaged))
            raise StateError(
                "What was applied last was not confirmed, but the former state cannot be brought "
                f"back: {why or 'it is not there.'} What was applied last stays in force."
            )
        applied = apply_ruleset(site.choose_again(former).backend, former.ruleset)
        note_counting(site, applied.plan)
        let_in_again(former.ruleset)
    back = "no fence" if probation.former is None else f"generation {probation.former}"
    what = f"what was applied was not confirmed: {back} is in force again"
    site.log_change("apply --confirm-within", what, probation.former)
    forget(site, probation)


def forget(site: Site, probation: Probation) -> None:
    """Let go of what was on probation, once it is no longer in force.

    If it is over, that is written down: the rules still say what was not confirmed. If not, it was
    taken away on purpose.

    Raises:
        StateError: it could not be written down.
    """
    if is_over(probation):
        note_unconfirmed(site, _unconfirmed(probation))
    site.generations.discard_after(probation.former or 0)
    site.journal.end_probation()


def _unconfirmed(probation: Probation) -> str:
    return (
        f"What was applied last was not confirmed by {probation.deadline:%H:%M:%S} UTC and is no "
        "longer in force. The rules still say it: edit them, or run 'geofence apply' again."
    )


def _start_watchman(site: Site, token: str, seconds: int) -> int:
    """Start the process that waits; its number."""
    places = (site.rules_directory.absolute(), site.state_directory.absolute())
    options = ["--rules-dir", str(places[0]), "--state-dir", str(places[1])]
    if site.backend is not None:
        options += ["--backend", str(site.backend)]
    # Not the program that may lie in the directory this was called in.
    program = [sys.executable, "-P", "-m", "geofence"]
    try:
        started = subprocess.Popen(  # noqa: S603 - this very program, no shell
            [*program, *options, "watch-probation", token, str(seconds)],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        site.journal.end_probation()
        raise StateError(f"Nobody could be set to wait for 'geofence confirm': {error}.") from error
    return started.pid


def _boot() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip()
