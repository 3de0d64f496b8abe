"""``confirm``: an applied change that is undone unless it is confirmed in time.

A process of its own waits, and returns to the previous fence when the time is over. It outlives the
terminal, the shell and the command that applied. If it dies too, any later run returns, and so does
``restore`` after a reboot.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from geofence.apply import fence_is_up, remove_all
from geofence.errors import BusyError, GeofenceError, StateError, UsageError
from geofence.host.boot import boot_id, since_boot
from geofence.model.frozen import replace
from geofence.operations.outcome import note_unconfirmed, tell_unconfirmed
from geofence.operations.runtime import put_in_force
from geofence.operations.shield import remove_shield
from geofence.operations.site import Site
from geofence.sentences import sentence
from geofence.state.lock import exclusive
from geofence.state.outcomes import Probation
from geofence.translation import english, join, tr

_PATIENCE = 3_600.0
"""Seconds that the waiting process gives another run to end, since nobody would try again."""
_START_TIME = 19
"""Index of the start time among the fields after the program's name."""


def begin(site: Site, seconds: int) -> None:
    """Record that the next change must be confirmed; the caller holds the lock.

    Raises:
        StateError: it could not be recorded, or there is no fence to return to; nothing was
            changed.
        BackendError: the kernel could not be read; nothing was changed.
    """
    newest, _ = site.generations.newest()
    if newest is None and fence_is_up():
        raise StateError(
            tr(
                "The current fence has no usable record, so geofence could not return to it. "
                "Run 'geofence apply' without --confirm-within."
            )
        )
    token = os.urandom(8).hex()
    deadline = datetime.now(UTC) + timedelta(seconds=seconds)
    former = newest.number if newest else None
    until = since_boot() + seconds
    probation = Probation(token, former, deadline, until, boot_id())
    site.journal.begin_probation(probation)
    number = _start_watchman(site, token, seconds)
    site.journal.begin_probation(replace(probation, watchman=_process(str(number))))


def confirm(site: Site) -> None:
    """Keep the unconfirmed change.

    Raises:
        UsageError: there is nothing to confirm, or the time is over.
    """
    if not site.state_directory.is_dir():
        raise UsageError(tr("Nothing to confirm: nothing has been applied on this host yet."))
    with exclusive(site.state_directory, site.lock_seconds):
        site.tidy()
        probation = site.journal.probation()
        if probation is None:
            raise UsageError(
                tr(
                    "Nothing to confirm. If a confirmation was pending, it expired and the "
                    "previous fence was restored."
                )
            )
        if not probation.is_over(boot_id(), since_boot()):
            site.journal.end_probation()
            newest, _ = site.generations.newest()
            number = newest.number if newest else None
            site.log_change("confirm", f"generation {number} stays in force", number)
            return
        _return(site, probation)
    late = UsageError(tr("Too late to confirm. The change was undone."))
    for note in tell_unconfirmed(site, _unconfirmed(probation)):
        late.add_note(sentence(note))
    raise late


def decline(site: Site) -> None:
    """Return to the previous fence now, if a change waits to be confirmed.

    Raises:
        StateError: the previous fence cannot be restored; the change stays.
    """
    with exclusive(site.state_directory, site.lock_seconds):
        site.tidy()
        probation = site.journal.probation()
        if probation is not None:
            _return(site, probation)


def lapsed(site: Site) -> Probation | None:
    """Return the pending confirmation that is over, or whose waiting process has ended.

    A container that is started again keeps the boot id of its host, and the clock runs on.
    """
    probation = site.journal.probation()
    if probation is None or not (
        probation.is_over(boot_id(), since_boot()) or _is_unwatched(probation)
    ):
        return None
    return probation


def _is_unwatched(probation: Probation) -> bool:
    """Whether the process that waits has ended."""
    return bool(probation.watchman) and probation.watchman != _process(probation.watchman)


def _process(known: str) -> str:
    """Return the number and start time of a process; empty if it does not run.

    The start time, field 22 of proc(5)'s stat, tells it from a later process of the same number.
    """
    number = known.partition(" ")[0]
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return f"{number} {fields[_START_TIME]}" if fields[0] != "Z" else ""


def refuse_pending(site: Site) -> None:
    """Raise an error if a change waits to be confirmed.

    Raises:
        BusyError: it does.
    """
    probation = site.journal.probation()
    if probation is not None and not probation.is_over(boot_id(), since_boot()):
        raise BusyError(
            tr(
                "The last change is pending until {time} UTC. Run 'geofence confirm', or try again "
                "after that time.",
                time=f"{probation.deadline:%H:%M:%S}",
            )
        )


def settle(site: Site) -> None:
    """Return to the previous fence if a confirmation is overdue; the caller holds the lock.

    Raises:
        BusyError: a change still waits to be confirmed.
    """
    refuse_pending(site)
    probation = site.journal.probation()
    if probation is not None:
        _return(site, probation)


def watch(site: Site, token: str, seconds: float) -> bool:
    """Wait, then return to the previous fence unless confirmed; return whether it did.

    The outcome is recorded and told to the hook, since nobody reads this process's output.
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
            why = f"The return to the previous fence failed: {english(str(error))}"
            note_unconfirmed(site, why)
    tell_unconfirmed(site, why)
    return True


def _return(site: Site, probation: Probation) -> None:
    """Restore the previous fence, kernel first, so that a killed return is simply repeated.

    Connections that the unconfirmed one blocked may reconnect.

    Raises:
        StateError: the previous generation and all before it are damaged; the last change stays.
    """
    # Imported here: restore at boot needs no live flows, and should not wait for the module.
    from geofence.operations.live_flows import unblock

    if probation.former is None:
        remove_shield(site)
        remove_all()
        unblock(None)
    else:
        former, damaged = site.generations.newest(probation.former)
        if former is None:
            site.journal.end_probation()
            why = join(" ", map(str, damaged)) or tr("its record is missing.")
            raise StateError(
                tr(
                    "The last change was not confirmed, but the previous fence cannot be restored: "
                    "{why} The last change stays in force.",
                    why=why,
                )
            )
        put_in_force(site, site.choose_again(former).backend, former.ruleset)
        unblock(former.ruleset)
    back = "no fence" if probation.former is None else f"generation {probation.former}"
    what = f"the last change was not confirmed: {back} is in force again"
    site.log_change("apply --confirm-within", what, probation.former)
    forget(site, probation)


def forget(site: Site, probation: Probation) -> None:
    """Delete the records of an unconfirmed change that is no longer in force.

    If its time is over, that is recorded as a failure, since the rules still say the same. If not,
    it was removed on purpose.

    Raises:
        StateError: the records could not be written.
    """
    if probation.is_over(boot_id(), since_boot()):
        note_unconfirmed(site, _unconfirmed(probation))
    site.generations.discard_after(probation.former or 0)
    site.journal.end_probation()


def _unconfirmed(probation: Probation) -> str:
    return (
        f"The last change was not confirmed by {probation.deadline:%H:%M:%S} UTC and was undone. "
        "The rules still say the same: edit them, or run 'geofence apply' again."
    )


def _start_watchman(site: Site, token: str, seconds: int) -> int:
    """Start the process that waits, and return its number."""
    import subprocess  # restore at boot, which forgets what is over, starts nothing

    places = (site.rules_directory.absolute(), site.state_directory.absolute())
    options = ["--rules-dir", str(places[0]), "--state-dir", str(places[1])]
    if site.backend is not None:
        options += ["--backend", str(site.backend)]
    # -P: never import from the directory in which this was called.
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
        raise StateError(
            tr("Cannot start the process that waits for 'geofence confirm': {error}.", error=error)
        ) from error
    return started.pid
