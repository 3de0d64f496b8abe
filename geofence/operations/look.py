"""What changes nothing: plan, status, why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from geofence.apply import survey
from geofence.backends.choose import Chosen
from geofence.backends.interface import Backend
from geofence.crowd import Crowd, crowd
from geofence.errors import BackendError, BackendUnavailable, GeofenceError, RulesError, StateError
from geofence.explain import Explanation, countries_of, explain, parts
from geofence.flows.conntrack import read_flows
from geofence.guards.lockout import SshSession
from geofence.guards.objection import accepted
from geofence.guards.overlaps import overlaps
from geofence.in_force import in_force, never_resolved, outside_pins
from geofence.merge import blocked, merge
from geofence.model.generation import Generation
from geofence.model.lists import ListId, ListKind
from geofence.model.plan import Count, Observed, Plan
from geofence.model.policy import Policy, Ports, besides_loopback
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.model.ruleset import Action, Ruleset, SetKey
from geofence.operations.gather import (
    Gathered,
    Watch,
    at_hand,
    fetched,
    spaces,
    stale,
    stored,
    switched_for_nothing,
    unchanging,
    unread,
    unwatched,
)
from geofence.operations.live import look_at
from geofence.operations.probation import is_over
from geofence.operations.report import (
    ListOutcome,
    PlanReport,
    ServiceStatus,
    StatusReport,
    WhyReport,
)
from geofence.operations.run import check_overrides
from geofence.operations.site import Site
from geofence.plan import make_plan
from geofence.plan.drift import differences
from geofence.routes import read_places


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
        return PlanReport(made, "unknown", reports, notes=(*notes, f"{error} {note}"))
    newest, _ = site.generations.newest()
    recorded = newest.ruleset if newest else None
    change = look_at(recorded, made.observed, desired, blocked=blocked(policy, lists))
    notes = (*notes, *change.notes, *map(str, accepted(change.objections(ssh), accept)))
    return PlanReport(made, chosen.why, reports, change.impact, notes)


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
        crowd=_crowd(generation, services),
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
            *never_resolved(let_in, hosts),
            *outside_pins(policy.enabled_exceptions(), hosts),
            *(() if wrong else _unfenced(policy, services, observed)),
        ),
    )


def _crowd(generation: Generation | None, services: tuple[ServiceStatus, ...]) -> Crowd | None:
    """Whether most flows share a private address; None, too, where flows cannot be read."""
    if generation is None:
        return None
    dropped = sum(service.dropped.packets for service in services)
    try:
        return crowd(generation.ruleset.services, () if dropped else read_flows(), dropped=dropped)
    except BackendError:
        return None


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


def why(
    site: Site,
    source: tuple[Family, int],
    ports: tuple[Ports, ...],
    watch: Watch = unwatched,
) -> WhyReport:
    """What a new packet from an address meets, and why.

    Where a country list was never accepted, so that there would be no answer, the sources of all
    lists that never were are asked; nothing is stored. One that cannot be had holds nothing, as in
    the fence that stands without it.

    Args:
        site: the installation.
        source: family and address.
        ports: destination ports to ask for; none means every range of every service.
        watch: told what goes on while lists are fetched.
    """
    policy = site.policy()
    gathered = _answering(site, policy, watch)
    lists = dict(at_hand(site))
    missing: dict[ListId, AddressSpace] = {}
    for report in gathered.reports:
        if not report.is_absent:
            lists[report.id] = report.space
        elif report.id.kind is ListKind.COUNTRY:
            missing[report.id] = report.space
    ruleset = merge(policy, lists | missing, read_places())
    everything = (ports for service in policy.services for ports in service.ports)
    asked = parts(ports or everything, policy.services)
    found = tuple(explain(policy, lists, ruleset, source, port) for port in asked)
    return WhyReport(
        countries=countries_of(lists, *source),
        countries_at_hand=tuple(i.name for i in lists if i.kind is ListKind.COUNTRY),
        explanations=found,
        notes=(
            *gathered.notes,
            *(
                f"There is no version of the list {name}: here it holds nothing."
                for name in missing
            ),
            *_let_in_otherwise(policy, found),
            *_in_force(site, policy, ruleset, offline=not gathered.renewed),
        ),
    )


def _let_in_otherwise(policy: Policy, found: Iterable[Explanation]) -> tuple[str, ...]:
    """That what is dropped is so only if it comes by an interface that is not trusted."""
    trusted = ", ".join(besides_loopback(policy.interfaces))
    if not trusted or all(each.action is Action.PASS for each in found):
        return ()
    return (f"By a trusted interface ({trusted}) it gets in all the same ([local] interfaces).",)


def _answering(site: Site, policy: Policy, watch: Watch) -> Gathered:
    """The lists at hand; where they give no answer, with those that were never accepted."""
    reports = stored(site, policy)
    absent = [report.id for report in reports if report.outcome is ListOutcome.MISSING]
    if not any(name.kind is ListKind.COUNTRY for name in absent):
        return Gathered(reports)
    gathered = fetched(site, policy, absent, watch=watch)
    had = ", ".join(str(candidate.accepted.id) for candidate in gathered.renewed)
    told = f"Fetched for this answer and not stored, for no version was ever accepted: {had}."
    problems = (report.problem for report in gathered.reports if report.problem)
    return replace(gathered, notes=(*gathered.notes, *problems, *((told,) if had else ())))


def _in_force(site: Site, policy: Policy, ruleset: Ruleset, *, offline: bool) -> tuple[str, ...]:
    """Whether the kernel holds what the answer is about; nothing where it cannot be read."""
    try:
        newest, _ = site.generations.newest()
        made = _plan_for(_chosen(site, policy, newest).backend, ruleset)
    except (BackendUnavailable, StateError) as error:
        return (f"Whether the kernel holds this fence could not be read: {error}",)
    if made.is_empty:
        return ()
    plan = "geofence plan --offline" if offline else "geofence plan"
    return (f"The kernel does not hold this fence yet; '{plan}' tells the difference.",)


def last_refresh(site: Site) -> datetime | None:
    """When the list that has waited longest was confirmed, UTC; None if one is missing."""
    moments = [report.checked_at for report in stored(site, site.policy())]
    known = [moment for moment in moments if moment is not None]
    return min(known, default=None) if len(known) == len(moments) else None
