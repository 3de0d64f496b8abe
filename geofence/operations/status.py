"""What changes nothing: plan, status, why."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from geofence.active_exceptions import in_force, never_resolved, outside_pins
from geofence.apply import survey
from geofence.backends.interface import Backend
from geofence.backends.registry import Chosen
from geofence.errors import BackendUnavailable, GeofenceError, RulesError, StateError
from geofence.guards.lockout import SshSession
from geofence.guards.objection import remaining
from geofence.guards.overlaps import overlaps
from geofence.merge import blocked, merge
from geofence.model.generation import Generation
from geofence.model.lists import ListId, ListKind
from geofence.model.plan import Count, Observed, Plan
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, PrefixSet
from geofence.model.ruleset import Ruleset, SetKey
from geofence.operations.commit import check_overrides
from geofence.operations.confirm import is_over
from geofence.operations.counters import counting_since
from geofence.operations.foreign import foreign_objections
from geofence.operations.lists import (
    Gathered,
    Watch,
    at_hand,
    fetched,
    refused,
    spaces,
    stale,
    stored,
    switched_for_nothing,
    unchanging,
    unread,
    unwatched,
)
from geofence.operations.live_flows import look_at
from geofence.operations.report import (
    ListReport,
    PlanReport,
    ServiceStatus,
    StatusReport,
)
from geofence.operations.site import Site
from geofence.operations.status_facts import (
    are_rules_edited,
    look_at_traffic,
    other_rules_beside,
)
from geofence.plan import make_plan
from geofence.plan.by_country import CountryChange, by_country
from geofence.plan.drift import differences
from geofence.routing.routes import read_places


def plan(
    site: Site,
    *,
    offline: bool,
    accept: Collection[str] = (),
    ssh: SshSession | None = None,
    watch: Watch = unwatched,
) -> PlanReport:
    """What a refresh (offline: an apply) would change; nothing is changed or stored.

    Without the privilege to read the kernel, the plan is against the newest generation, or against
    nothing, and says so.

    Raises:
        UsageError: an override names no guard, or no list that the rules need.
    """
    policy = site.policy()
    verb = "apply" if offline else "refresh"
    check_overrides(policy, accept)
    gathered = (
        Gathered(stored(site, policy))
        if offline
        else fetched(site, policy, tuple(ListKind), accept, watch)
    )
    reports = gathered.reports
    lists = spaces(reports)
    desired = merge(policy, lists, read_places())
    overlapping = overlaps({report.id: report.space for report in reports})
    notes = (
        *gathered.notes,
        *(report.problem for report in reports if report.problem),
        *(f"{each}." for each in overlapping),
        *unread(policy),
        *switched_for_nothing(policy),
        *unchanging(site, reports),
        *never_resolved(policy.enabled_exceptions(), lists),
        *outside_pins(policy.enabled_exceptions(), lists),
    )
    try:
        chosen = site.choose_backend(policy.backend)
        made = _plan_for(chosen.backend, desired)
    except BackendUnavailable as error:
        made, note = _plan_unread(site, desired)
        return PlanReport(
            made,
            "unknown",
            reports,
            notes=(*notes, f"{error} {note}"),
            countries=_by_country(site, reports, made),
            next_run=verb,
        )
    newest, _ = site.generations.newest()
    recorded = newest.ruleset if newest else None
    change = look_at(recorded, made.observed, desired, blocked=blocked(policy, lists))
    refusals = remaining((*foreign_objections(site), *change.objections(ssh)), accept)
    return PlanReport(
        made,
        chosen.why,
        reports,
        change.impact,
        (*notes, *change.notes, *map(str, refusals)),
        _by_country(site, reports, made),
        refusals,
        verb,
    )


def _by_country(
    site: Site, reports: tuple[ListReport, ...], made: Plan
) -> tuple[CountryChange, ...]:
    """What the plan changes for each country, those that are allowed no longer among them."""
    countries = {report.id.name: report for report in reports if report.id.kind is ListKind.COUNTRY}
    known = {
        name: report.space | (report.former or AddressSpace()) for name, report in countries.items()
    }
    gone = {
        wanted.name: space
        for wanted, space in at_hand(site).items()
        if wanted.kind is ListKind.COUNTRY and wanted.name not in known
    }
    return by_country(made.set_changes, known | gone)


def _plan_for(backend: Backend, desired: Ruleset) -> Plan:
    return make_plan(desired, survey(backend), backend.rules(desired))


def _plan_unread(site: Site, desired: Ruleset) -> tuple[Plan, str]:
    try:
        generation, _ = site.generations.newest()
    except StateError:
        generation = None
    if generation is None:
        against = "for a host without a fence"
        return make_plan(
            desired, Observed(), ()
        ), f"The kernel was not read; the plan is {against}."
    against = f"against generation {generation.number}, and tells nothing of rules"
    made = make_plan(desired, Observed(sets=generation.ruleset.sets), ())
    return made, f"The kernel was not read; the plan is {against}."


def status(site: Site) -> StatusReport:
    """What the kernel holds, how it differs from what was applied, and how old the lists are.

    Raises:
        RulesError: the rules do not load, and nothing could be told without them.
    """
    try:
        return _status(site, site.policy())
    except RulesError as error:
        with suppress(GeofenceError):
            return _status(site, Policy(), error)
        raise


def _status(site: Site, policy: Policy, wrong: RulesError | None = None) -> StatusReport:
    """What there is to tell with these rules; with none if the rules are wrong."""
    generation, damaged = site.generations.newest()
    applied = generation.ruleset if generation else None
    chosen = _chosen(site, policy, generation)
    observed = survey(chosen.backend)
    reports = stored(site, policy)
    services = _services(policy, generation, observed)
    probation = site.journal.probation()
    problems = (*map(str, damaged), *(report.problem for report in reports if report.problem))
    hosts = _hosts(site)
    exceptions = in_force(policy, hosts, _applied(generation, observed))
    let_in = (each for each in policy.enabled_exceptions() if each.name in exceptions.names)
    return StatusReport(
        backend=chosen.why,
        unfenced=observed.unfenced,
        drift=_drift(chosen.backend, generation, observed),
        generation=generation.number if generation else None,
        applied_at=generation.created_at if generation else None,
        reason=generation.reason if generation else "",
        services=services,
        interfaces=generation.ruleset.interfaces if generation else policy.interfaces,
        local=generation.ruleset.local if generation else (),
        traffic=look_at_traffic(applied, sum(each.dropped.packets for each in services)),
        other_rules=other_rules_beside(applied.services if applied else ()),
        rules_edited=None
        if wrong or applied is None
        else are_rules_edited(policy, reports, applied),
        counting_since=counting_since(site) if observed.fenced else None,
        restorable=generation is not None and bool(observed.unfenced),
        rules=observed.rules,
        sets={key.name: held.prefix_count for key, held in sorted(observed.sets.items())},
        lists=reports,
        stale=stale(policy, reports, datetime.now(UTC)),
        last=site.journal.outcome(),
        exceptions=exceptions,
        probation=probation,
        probation_over=probation is not None and is_over(probation),
        exceptions_off=tuple(each.name for each in policy.exceptions if not each.enabled),
        wrong_rules=wrong,
        notes=(
            *problems,
            *unread(policy),
            *switched_for_nothing(policy),
            *unchanging(site, reports),
            *refused(site, reports),
            *never_resolved(let_in, hosts),
            *outside_pins(policy.enabled_exceptions(), hosts),
            *(() if wrong else _unfenced(policy, services, observed)),
        ),
    )


def _chosen(site: Site, policy: Policy, generation: Generation | None) -> Chosen:
    """The backend that holds the generation: who asks about the fence looks where it is."""
    return site.choose_again(generation) if generation else site.choose_backend(policy.backend)


def _drift(backend: Backend, generation: Generation | None, observed: Observed) -> tuple[str, ...]:
    """How the kernel differs from the generation that should be in force."""
    if generation is None:
        return ()
    wanted = generation.ruleset
    return differences(make_plan(wanted, observed, backend.rules(wanted)))


def _applied(
    generation: Generation | None, observed: Observed
) -> Mapping[SetKey, PrefixSet] | None:
    """The sets of the fence that was applied; None if no packet enters one.

    Those of the kernel only where no generation is recorded: what others did to them since is told
    as drift.
    """
    if not observed.fenced:
        return None
    return generation.ruleset.sets if generation else observed.sets


def _hosts(site: Site) -> Mapping[ListId, AddressSpace]:
    """What the host names stand for that were ever resolved."""
    hosts = (wanted for wanted in site.lists.ids() if wanted.kind is ListKind.HOST)
    found, _ = site.lists.load_all(hosts)
    return {name: accepted.space for name, accepted in found.items()}


def _unfenced(
    policy: Policy, services: tuple[ServiceStatus, ...], observed: Observed
) -> tuple[str, ...]:
    """That a fence which fences nothing does not look like one."""
    if services or not observed.fenced:
        return ()
    if policy.services:
        return ("No service is fenced; 'geofence refresh' fences those that the rules name.",)
    return ("No service is fenced: the rules name none that is enabled ([service.NAME]).",)


def _services(
    policy: Policy, generation: Generation | None, observed: Observed
) -> tuple[ServiceStatus, ...]:
    services = generation.ruleset.services if generation else policy.services
    return tuple(
        ServiceStatus(
            service.name,
            tuple(str(ports) for ports in service.ports),
            observed.dropped.get(service.name, Count(0, 0)),
        )
        for service in services
    )


def last_refresh(site: Site) -> datetime | None:
    """When the list that has waited longest was confirmed, UTC; None if one is missing."""
    moments = [report.checked_at for report in stored(site, site.policy())]
    known = [moment for moment in moments if moment is not None]
    return min(known, default=None) if len(known) == len(moments) else None
