"""The daemon's run after a change of Asterisk's configuration: no list is downloaded.

It brings in what Asterisk's configuration changes, and nothing else. Where the rules were edited,
too, or a rollback is in force, it waits for a run by hand: whoever saves a form in a web panel must
not apply rules that somebody is still writing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from geofence.errors import MissingListError, StateError
from geofence.merge import merge, needed_lists
from geofence.model.chosen import NO_BACKEND
from geofence.model.generation import Generation
from geofence.model.notes import Note, NoteKind
from geofence.model.plan import Observed, Plan
from geofence.model.ruleset import Ruleset
from geofence.operations.apply import apply_rules
from geofence.operations.commit import Wish, holding
from geofence.operations.confirm import refuse_pending
from geofence.operations.followed import Followed
from geofence.operations.following import followed
from geofence.operations.lists import fetched, spaces, stored
from geofence.operations.outcome import told
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.state.removal import is_removed

COMMAND = "asterisk"
"""Stands for this run in place of a command."""

_NOTHING = RunReport(Plan(Ruleset(), Observed()), NO_BACKEND)


def watched(site: Site) -> tuple[Path, tuple[str, ...]] | None:
    """Return the configuration that the rules follow, and the files that were read; None for none.

    Raises:
        RulesError: the rules do not load.
    """
    rules = site.rules()
    if not rules.asterisk.enabled:
        return None
    try:
        reading = site.readings.load()
    except StateError:
        reading = None
    return Path(rules.asterisk.directory), reading.files if reading else ()


def follow_asterisk(site: Site, wish: Wish) -> RunReport:
    """Bring a change of Asterisk's configuration into the fence, if the rules follow it.

    Raises:
        RulesError: the rules do not load.
        BusyError: another run holds the lock, or a ruleset waits to be confirmed.
        GuardRefusal: a check refuses the change.
    """
    newest, _ = site.generations.newest()
    if newest is None or is_removed(site.state_directory) or watched(site) is None:
        return _NOTHING
    refuse_pending(site)
    asterisk = followed(site)
    if asterisk.policy == site.policy():
        return _unchanged(site, asterisk)
    if not _as_applied(site, newest):
        note = Note(NoteKind.ASTERISK_WAITS, "")
        return replace(_NOTHING, notes=(*asterisk.notes, note), degraded=asterisk.degraded)
    return told(site, COMMAND, lambda: _applied(site, wish, asterisk))


def _unchanged(site: Site, asterisk: Followed) -> RunReport:
    """Report a configuration that changes nothing; record it where that was not so before."""
    report = replace(_NOTHING, notes=asterisk.notes, degraded=asterisk.degraded)
    with holding(site):
        notes = asterisk.store(site)
    report = report.with_notes(notes)
    known = site.journal.outcome()
    was_bad = any(each.command == COMMAND for each in known.unresolved) if known else False
    return told(site, COMMAND, lambda: report) if was_bad is not report.degraded else report


def _as_applied(site: Site, newest: Generation) -> bool:
    """Whether the rules, with the reading in force, are what was applied last."""
    policy = site.policy()
    try:
        desired = merge(policy, spaces(stored(site, policy)))
    except MissingListError:
        return False
    return replace(desired, local=newest.ruleset.local) == newest.ruleset


def _applied(site: Site, wish: Wish, asterisk: Followed) -> RunReport:
    """Resolve the names of new trunks, and apply."""
    policy = asterisk.policy
    names = (name for name in needed_lists(policy) if name.kind.is_from_dns)
    known, _ = site.lists.load_all(names)
    new = [e for e in needed_lists(policy) if e.kind.is_from_dns and e not in known]
    gathered = fetched(site, policy, new) if new else None
    with holding(site):
        if gathered is not None:
            gathered.store(site)
        report = apply_rules(site, wish, gathered.reports if gathered else ())
    return report.with_notes(gathered.notes) if gathered else report
