"""``setup`` carried out: its file written, the fence applied, other programs told.

On trial, the file is written only once the fence is confirmed: until then its rules are a draft,
so that nothing is left of a set-up that was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from geofence.errors import GeofenceError, UsageError
from geofence.guards.lockout import SshSession
from geofence.model.notes import Note, NoteKind
from geofence.operations.commit import Wish
from geofence.operations.confirm import confirm
from geofence.operations.lists import Watch
from geofence.operations.plan import PlanReport, plan
from geofence.operations.refresh import refresh_and_renew
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.policy.files import RulesFile
from geofence.setup import fail2ban, units
from geofence.setup.proposal import Proposal, Step
from geofence.setup.rules_file import SETUP_FILE
from geofence.state.files import (
    ensure_private_directory,
    read_if_there,
    state_error,
    write_atomically,
)
from geofence.state.lock import exclusive
from geofence.translation import tr

_READABLE = 0o644
"""Mode of the file. Rules are not secret."""
_STEPS: dict[Step, Callable[[], None]] = {
    Step.FAIL2BAN: fail2ban.install,
    Step.UNITS: units.enable,
}


def draft(site: Site, proposal: Proposal) -> Site:
    """Return the installation as it would be with the proposed rules."""
    text = proposal.text if proposal.tables else ""
    return replace(site, drafts=(RulesFile(SETUP_FILE, text),))


def planned(
    site: Site,
    proposal: Proposal,
    watch: Watch,
    *,
    accept: Collection[str],
    ssh: SshSession | None,
) -> PlanReport:
    """Return what the proposed rules would change in the kernel; nothing is changed or stored."""
    return plan(draft(site, proposal), offline=False, accept=accept, ssh=ssh, watch=watch)


def carry_out(site: Site, proposal: Proposal, wish: Wish, watch: Watch) -> RunReport:
    """Write the file and apply the rules; put the file back if that fails.

    Raises:
        GeofenceError: the rules could not be applied; nothing was changed.
    """
    ensure_private_directory(site.state_directory)
    with exclusive(site.state_directory, site.lock_seconds):
        before = _write(site, proposal)
    try:
        return refresh_and_renew(site, wish, watch)
    except BaseException:
        _put_back(site, before)
        raise


def try_out(site: Site, proposal: Proposal, wish: Wish, watch: Watch) -> RunReport:
    """Apply the rules on trial, without writing the file.

    Raises:
        GeofenceError: the rules could not be applied; nothing was changed.
    """
    return refresh_and_renew(draft(site, proposal), wish, watch)


def keep(site: Site, proposal: Proposal, report: RunReport) -> None:
    """Write the file, and keep what was applied on trial.

    Raises:
        UsageError: the time is over; nothing is left of the change.
    """
    with exclusive(site.state_directory, site.lock_seconds):
        newest, _ = site.generations.newest()
        if newest is None or newest.number != report.generation:
            raise UsageError(tr("Too late to confirm. The change was undone."))
        is_pending = site.journal.probation() is not None
        before = _write(site, proposal)
    if not is_pending:
        return  # confirmed by 'geofence confirm' already
    try:
        confirm(site)
    except GeofenceError:
        _put_back(site, before)
        raise


def take_steps(proposal: Proposal) -> Iterator[Note]:
    """Do what is left, and yield what came of each step; a failure undoes no other."""
    for step in proposal.steps:
        try:
            _STEPS[step]()
        except GeofenceError as error:
            yield Note(NoteKind.SETUP_STEP_FAILED, step.value, {"message": str(error)})
        else:
            yield Note(NoteKind.SETUP_STEP_DONE, step.value)


def _write(site: Site, proposal: Proposal) -> bytes | None:
    """Write the file if something changes in it; return what it had. The caller holds the lock."""
    path = site.rules_directory / SETUP_FILE
    before = read_if_there(path)
    if not proposal.changes:
        return before
    try:
        site.rules_directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise state_error("made", site.rules_directory, error) from error
    if proposal.tables:
        write_atomically(path, proposal.text.encode(), _READABLE)
    else:
        path.unlink(missing_ok=True)
    changed = ", ".join(f"{heading} {change}" for heading, change in proposal.changes.items())
    site.log_change("setup", f"{SETUP_FILE} was written: {changed}")
    return before


def _put_back(site: Site, before: bytes | None) -> None:
    path = site.rules_directory / SETUP_FILE
    if before is not None:
        write_atomically(path, before, _READABLE)
    else:
        path.unlink(missing_ok=True)
