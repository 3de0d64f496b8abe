"""``status``: the fence in the kernel, its drift, and the age of its lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from geofence.allowed.active_exceptions import (
    ActiveExceptions,
    active_exceptions,
    never_resolved,
    outside_pins,
)
from geofence.backends.registry import Chosen
from geofence.errors import GeofenceError, RulesError
from geofence.host.boot import boot_id, since_boot
from geofence.model.chosen import ChosenBackend
from geofence.model.frozen import dataclass, field
from geofence.model.generation import Generation
from geofence.model.lists import ListId, ListKind
from geofence.model.notes import Note, NoteKind, problem
from geofence.model.plan import Count, Observed
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.model.ruleset import LocalNetwork, SetKey
from geofence.operations.blocklist_notes import left_out_notes
from geofence.operations.counters import counting_since
from geofence.operations.facts import Facts
from geofence.operations.listed import Listed
from geofence.operations.lists import (
    refused,
    stale,
    switched_for_nothing,
    unchanging,
    unread,
)
from geofence.operations.report import AllowedTo, ListReport, allowed_to
from geofence.operations.runtime import without_labels
from geofence.operations.shield_status import ShieldStatus, shield_status
from geofence.operations.site import Site
from geofence.operations.status_facts import Traffic, look_at_traffic, other_rules_beside
from geofence.other_rules import OtherRules
from geofence.plan.drift import Difference
from geofence.state.outcomes import Probation, RunOutcome


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One fenced service in the kernel."""

    name: str
    ports: tuple[str, ...]
    dropped: Count
    """Of an observed service: what would have been dropped."""
    observed: bool = False
    """Whether it is only observed: nothing is dropped."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The result of ``status``."""

    backend: ChosenBackend
    unfenced: tuple[Family, ...]
    """Families whose packets enter no fence."""
    drift: tuple[Difference, ...]
    """Differences of the kernel from the generation in force."""
    generation: int | None
    applied_at: datetime | None
    reason: str
    services: tuple[ServiceStatus, ...]
    compared_at: datetime | None = None
    """When the kernel was read whole and compared with the generation, UTC; None: without one."""
    unchanged_since: bool = False
    """Whether that was earlier, and the kernel has not changed since, by its fingerprint."""
    interfaces: tuple[str, ...] = ()
    """Trusted interfaces, which are never fenced."""
    local: tuple[LocalNetwork, ...] = ()
    """Local networks, each on its interface."""
    traffic: Traffic | None = None
    """Facts of current connections; None if they were not read."""
    other_rules: OtherRules | None = None
    """Rules of other programs that matter to fenced services; None if they were not read."""
    rules_edited: bool | None = None
    """Whether rules and lists on disk differ from what was applied; None if unknown."""
    restorable: bool = False
    """Whether ``restore`` can restore a recorded fence."""
    rules: Sequence[str] = ()
    """Rules in the kernel, as the backend prints them."""
    counting_since: datetime | None = None
    """Since when ``services`` count dropped packets, UTC; None if unknown."""
    sets: Mapping[str, int] = field(default_factory=dict)
    """Number of prefixes by name of set."""
    lists: tuple[Listed, ...] = ()
    stale: tuple[Note, ...] = ()
    """A note for each list that its source has not confirmed for too long."""
    exceptions: ActiveExceptions = field(default_factory=ActiveExceptions)
    exceptions_off: tuple[str, ...] = ()
    """Names of disabled exceptions."""
    wrong_rules: RulesError | None = None
    """Why the rules do not load; then lists and exceptions are unknown."""
    last: RunOutcome | None = None
    """The outcome of the last run; None if none is known."""
    probation: Probation | None = None
    """The change that waits for ``confirm``; None for none."""
    probation_over: bool = False
    """Whether it was not confirmed in time; then the next run restores the previous fence."""
    notes: tuple[Note, ...] = ()
    shield: ShieldStatus | None = None
    """None where nobody ever asked for it."""
    allowed: tuple[AllowedTo, ...] = ()
    """Whom the rules allow to reach each service."""


def status(site: Site, facts: Facts | None = None) -> StatusReport:
    """Return the fence in the kernel, its drift, and the age of its lists.

    Args:
        site: the installation.
        facts: finds out what takes long; None: all of it anew.

    Raises:
        RulesError: the rules do not load, and nothing can be told without them.
    """
    known = facts or Facts(site)
    try:
        return _status(site, known, known.policy)
    except RulesError as error:
        with suppress(GeofenceError):
            return _status(site, known, Policy(), error)
        raise


def _status(
    site: Site, facts: Facts, policy: Policy, wrong: RulesError | None = None
) -> StatusReport:
    """Return the status under a policy; ``wrong`` tells why it is not that of the rules."""
    generation, damaged = facts.newest
    applied = generation.ruleset if generation else None
    chosen = _chosen(site, policy, generation)
    compared = facts.compared(chosen.backend, generation)
    observed = compared.observed
    reports = facts.lists(policy)
    services = _services(policy, generation, observed)
    probation = site.journal.probation()
    problems = (
        *(problem(str(each)) for each in damaged),
        *(problem(each.problem, str(each.id)) for each in reports if each.problem),
    )
    hosts = _hosts(site)
    exceptions = active_exceptions(policy, hosts, _applied(generation, observed))
    active = (each for each in policy.enabled_exceptions() if each.name in exceptions.names)
    return StatusReport(
        backend=chosen.reason,
        unfenced=observed.unfenced,
        drift=compared.drift,
        generation=generation.number if generation else None,
        applied_at=generation.created_at if generation else None,
        reason=generation.reason if generation else "",
        services=services,
        compared_at=compared.at if generation else None,
        unchanged_since=compared.is_earlier,
        interfaces=generation.ruleset.interfaces if generation else policy.interfaces,
        local=generation.ruleset.local if generation else (),
        traffic=look_at_traffic(applied, sum(each.dropped.packets for each in services)),
        other_rules=other_rules_beside(applied.services if applied else ()),
        rules_edited=None
        if wrong or generation is None
        else facts.are_rules_edited(policy, reports, generation),
        counting_since=counting_since(site) if observed.fenced else None,
        restorable=generation is not None and bool(observed.unfenced),
        rules=observed.rules,
        sets=compared.sets,
        lists=reports,
        stale=stale(policy, reports, datetime.now(UTC)),
        last=site.journal.outcome(),
        exceptions=exceptions,
        probation=probation,
        probation_over=probation is not None and probation.is_over(boot_id(), since_boot()),
        exceptions_off=tuple(each.name for each in policy.exceptions if not each.enabled),
        wrong_rules=wrong,
        allowed=allowed_to(policy),
        shield=shield_status(site, policy),
        notes=(
            *problems,
            *without_labels(chosen.backend),
            *unread(policy),
            *switched_for_nothing(policy),
            *unchanging(reports, facts.history),
            *refused(site, reports),
            *left_out_notes(policy, [each for each in reports if isinstance(each, ListReport)]),
            *never_resolved(active, hosts),
            *outside_pins(policy.enabled_exceptions(), hosts),
            *(() if wrong else _unfenced(policy, services, observed)),
        ),
    )


def _chosen(site: Site, policy: Policy, generation: Generation | None) -> Chosen:
    """Return the backend that holds the generation, or that the rules choose."""
    return site.choose_again(generation) if generation else site.choose_backend(policy.backend)


def _applied(
    generation: Generation | None, observed: Observed
) -> Mapping[SetKey, PrefixSet] | None:
    """Return the sets of the applied fence; None if no packet enters one.

    The kernel's sets count only where no generation is recorded, since changes to them are drift.
    """
    if not observed.fenced:
        return None
    return generation.ruleset.sets if generation else observed.sets


def _hosts(site: Site) -> Mapping[ListId, AddressSpace]:
    """Return the addresses of names in DNS that have resolved, and of feeds."""
    kinds = [each for each in ListKind if each.is_from_dns or each is ListKind.FEED]
    found, _ = site.lists.load_all(site.lists.ids(kinds))
    return {name: accepted.space for name, accepted in found.items()}


def _unfenced(
    policy: Policy, services: tuple[ServiceStatus, ...], observed: Observed
) -> tuple[Note, ...]:
    """Return a note if the fence has no service."""
    if services or not observed.fenced:
        return ()
    if policy.services:
        return (Note(NoteKind.NO_SERVICE_APPLIED),)
    return (Note(NoteKind.NO_SERVICE_ENABLED),)


def _services(
    policy: Policy, generation: Generation | None, observed: Observed
) -> tuple[ServiceStatus, ...]:
    services = generation.ruleset.services if generation else policy.services
    return tuple(
        ServiceStatus(
            service.name,
            tuple(str(ports) for ports in service.ports),
            observed.dropped.get(service.name, Count(0, 0)),
            service.observe,
        )
        for service in services
    )
