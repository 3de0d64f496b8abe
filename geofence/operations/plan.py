"""``plan``: what a run would change, without changing it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from geofence.allowed.active_exceptions import never_resolved, outside_pins
from geofence.apply import survey
from geofence.backends.interface import Backend
from geofence.errors import BackendUnavailable, StateError
from geofence.flows.impact import Impact
from geofence.guards.lockout import SshSession
from geofence.guards.objection import Objection, remaining
from geofence.merge import blocked, merge
from geofence.model.chosen import NO_BACKEND, ChosenBackend
from geofence.model.lists import ListKind
from geofence.model.notes import Note, NoteKind, problem
from geofence.model.plan import Observed, Plan
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace
from geofence.model.ruleset import Ruleset
from geofence.operations.blocklist_notes import format_notes, left_out_notes
from geofence.operations.commit import check_overrides
from geofence.operations.following import followed
from geofence.operations.foreign import foreign_objections
from geofence.operations.gathered import Gathered
from geofence.operations.lists import (
    Watch,
    at_hand,
    fetched,
    overlapping,
    spaces,
    stored,
    switched_for_nothing,
    unchanging,
    unread,
    unwatched,
)
from geofence.operations.live_flows import look_at
from geofence.operations.people import People, people
from geofence.operations.report import AllowedTo, ListReport, allowed_to
from geofence.operations.site import Site
from geofence.plan import make_plan
from geofence.plan.by_country import CountryChange, by_country
from geofence.plan.observing import observing_changes
from geofence.routing.routes import read_places


@dataclass(frozen=True, slots=True)
class PlanReport:
    """The result of ``plan``."""

    plan: Plan
    backend: ChosenBackend
    lists: tuple[ListReport, ...]
    impact: Impact | None = None
    """Connections that the change would touch; None if they were not or could not be read."""
    notes: tuple[Note, ...] = ()
    countries: tuple[CountryChange, ...] = ()
    """Addresses that become allowed or blocked, by country."""
    refusals: tuple[Objection, ...] = ()
    """Objections of checks, for which a run would be refused."""
    next_run: str = "refresh"
    """The verb that would carry it out."""
    allowed: tuple[AllowedTo, ...] = ()
    """Whom the rules allow to reach each service."""
    people: People | None = None
    """Who at the running Asterisk would be cut off; None where none can be asked."""

    def with_notes(self, notes: tuple[Note, ...]) -> PlanReport:
        """Return the report with more notes, before those that it has."""
        return replace(self, notes=(*notes, *self.notes))


def plan(
    site: Site,
    *,
    offline: bool,
    accept: Collection[str] = (),
    ssh: SshSession | None = None,
    watch: Watch = unwatched,
) -> PlanReport:
    """Return what a refresh (offline: an apply) would change; nothing is changed or stored.

    Without the privilege to read the kernel, the plan is against the newest generation, or against
    nothing.

    Raises:
        UsageError: an override has an unknown check or list.
    """
    asterisk = followed(site, accept, everything=True)
    policy = asterisk.policy
    check_overrides(policy, accept)
    gathered = (
        Gathered(stored(site, policy))
        if offline
        else fetched(site, policy, tuple(ListKind), accept, watch)
    )
    desired = merge(policy, spaces(gathered.reports), read_places())
    report = PlanReport(
        Plan(desired, Observed()),
        NO_BACKEND,
        gathered.reports,
        notes=(*asterisk.notes, *_list_notes(site, policy, gathered)),
        next_run="apply" if offline else "refresh",
        allowed=allowed_to(policy),
    )
    try:
        chosen = site.choose_backend(policy.backend)
        made = _plan_for(chosen.backend, desired)
    except BackendUnavailable as error:
        return _without_kernel(site, report, error)
    report = replace(report, backend=chosen.reason)
    return _against_kernel(site, policy, replace(report, plan=made), accept, ssh)


def _list_notes(site: Site, policy: Policy, gathered: Gathered) -> tuple[Note, ...]:
    """Return notes on the lists of a run."""
    reports = gathered.reports
    lists = spaces(reports)
    return (
        *gathered.notes,
        *(problem(each.problem, str(each.id)) for each in reports if each.problem),
        *overlapping(reports),
        *unread(policy),
        *switched_for_nothing(policy),
        *unchanging(reports, site.versions.load),
        *format_notes(policy, reports),
        *left_out_notes(policy, reports),
        *never_resolved(policy.enabled_exceptions(), lists),
        *outside_pins(policy.enabled_exceptions(), lists),
    )


def _without_kernel(site: Site, report: PlanReport, error: BackendUnavailable) -> PlanReport:
    """Return a plan against the newest generation, or against nothing."""
    made, against = _plan_unread(site, report.plan.desired)
    facts = {"message": str(error), "generation": against}
    return replace(
        report,
        plan=made,
        notes=(*report.notes, Note(NoteKind.PLAN_WITHOUT_KERNEL, "", facts)),
        countries=changes_by_country(site, report.lists, made),
    )


def _against_kernel(
    site: Site,
    policy: Policy,
    report: PlanReport,
    accept: Collection[str],
    ssh: SshSession | None,
) -> PlanReport:
    """Return a plan with what it means for those who talk now, and what checks object to."""
    made, desired = report.plan, report.plan.desired
    newest, _ = site.generations.newest()
    recorded = newest.ruleset if newest else None
    denied = blocked(policy, spaces(report.lists))
    change = look_at(recorded, made.observed, desired, blocked=denied)
    refusals = remaining((*foreign_objections(site), *change.objections(ssh)), accept)
    return replace(
        report,
        impact=change.impact,
        notes=(
            *observing_changes(recorded, desired),
            *report.notes,
            *change.notes,
            *map(refusal_note, refusals),
        ),
        countries=changes_by_country(site, report.lists, made),
        refusals=refusals,
        people=people(change.before, desired, policy.asterisk.cli),
    )


def changes_by_country(
    site: Site, reports: tuple[ListReport, ...], made: Plan
) -> tuple[CountryChange, ...]:
    """Return what the plan changes for each country and AS number, those that go, too."""
    known = {
        report.id: report.space | (report.change.lost if report.change else AddressSpace())
        for report in reports
        if report.id.kind.allows
    }
    gone = {
        name: space
        for name, space in at_hand(site).items()
        if name.kind.allows and name not in known
    }
    countries, asns = (
        {name.name: space for name, space in (known | gone).items() if name.kind is kind}
        for kind in (ListKind.COUNTRY, ListKind.ASN)
    )
    return by_country(made.set_changes, countries, asns)


def _plan_for(backend: Backend, desired: Ruleset) -> Plan:
    return make_plan(desired, survey(backend), backend.rules(desired))


def _plan_unread(site: Site, desired: Ruleset) -> tuple[Plan, int | None]:
    """Return a plan without the kernel, and the number of the generation that it is against."""
    try:
        generation, _ = site.generations.newest()
    except StateError:
        generation = None
    if generation is None:
        return make_plan(desired, Observed(), ()), None
    return make_plan(desired, Observed.holding(generation.ruleset), ()), generation.number


def refusal_note(objection: Objection) -> Note:
    """Return the note on a check for which a run would be refused."""
    facts = {"message": str(objection), "accept": objection.accept}
    return Note(NoteKind.CHECK_REFUSES, str(objection.guard), facts)
