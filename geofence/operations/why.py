"""``why``: the verdict on an address now, and after the next apply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from geofence.backends import registry
from geofence.backends.interface import Backend
from geofence.errors import BackendError, BackendUnavailable, StateError
from geofence.explain import (
    Answer,
    Explanation,
    asns_of,
    countries_of,
    explain,
    explain_now,
    parts,
)
from geofence.fetch.limits import Limits
from geofence.flows.connections import Connections, Fenced, connections
from geofence.flows.conntrack import read_flows
from geofence.flows.interfaces import with_interfaces
from geofence.merge import exception_space, merge
from geofence.model.address import Address
from geofence.model.lists import ListId, ListKind
from geofence.model.notes import Note, NoteKind, problem
from geofence.model.plan import Observed
from geofence.model.policy import Policy, Ports, besides_loopback
from geofence.model.prefixes import AddressSpace
from geofence.model.ruleset import Action, Ruleset
from geofence.observed_ruleset import Held, held
from geofence.operations.lists import Gathered, Watch, at_hand, fetched, stored, unwatched
from geofence.operations.report import ListOutcome
from geofence.operations.site import Site
from geofence.plan import make_plan
from geofence.routing.routes import read_places
from geofence.state.generations import Damaged

_LIMITS = Limits(connect=3.0, read=4.0, body=5.0, retries=0, resolve=3.0, run=6.0)
"""Short, since an operator waits for the answer, and the kernel gives most of it."""
_MOST_GENERATIONS = 10
"""Recorded rulesets that the kernel's rules are compared with, newest first."""


class DropKind(StrEnum):
    """A way to drop the connections of an address."""

    REVOKE = "revoke"
    """'geofence revoke ``subject``'."""
    CUT = "cut"
    """'geofence ``subject`` --cut'."""
    BLOCKLIST = "blocklist"
    """A blocklist with the prefix ``subject``, then 'geofence apply --cut'."""


@dataclass(frozen=True, slots=True)
class DropMethod:
    """How to drop the connections of an address."""

    kind: DropKind
    subject: str


@dataclass(frozen=True, slots=True)
class WhyReport:
    """The result of ``why``."""

    countries: tuple[str, ...]
    """Codes of the countries whose lists have the address."""
    countries_at_hand: tuple[str, ...]
    """Codes of all countries with a list."""
    explanations: tuple[Explanation, ...]
    """Verdicts of the rules and lists on disk: those after the next run."""
    now: tuple[Answer, ...] | None = None
    """Verdicts of the kernel for the same ports; None if it could not be read."""
    next_run: str = "apply"
    """The verb that applies the rules and lists on disk."""
    connections: tuple[Connections, ...] = ()
    """Current ones from the address to fenced services."""
    ending: DropMethod | None = None
    """How to drop them; None where there are none."""
    notes: tuple[Note, ...] = ()
    asns: tuple[int, ...] = ()
    """AS numbers whose lists have the address."""


@dataclass(frozen=True, slots=True)
class _Now:
    """The fences in the kernel."""

    fences: tuple[Held, ...] = ()
    as_ruled: bool = True
    """Whether they are those of the rules and lists on disk."""
    unread: str = ""
    """Why the kernel could not be read; empty if it was."""


def why(
    site: Site,
    source: Address,
    ports: tuple[Ports, ...],
    watch: Watch = unwatched,
) -> WhyReport:
    """Return the verdict on a new packet from an address now and after the next apply, and why.

    The kernel's own sets and rules tell what is so now. Where the list of a country or AS number
    has not been downloaded yet, the rules give no answer. Then all missing lists are fetched, for
    seconds, and not stored. One that cannot be fetched counts as empty, as in the fence without it.

    Args:
        site: the installation.
        source: the address.
        ports: destination ports to ask for; none means every range of every service.
        watch: called with each event of fetching.
    """
    policy = site.policy()
    gathered = _answering(site, policy, watch)
    lists = dict(at_hand(site))
    missing: dict[ListId, AddressSpace] = {}
    for report in gathered.reports:
        if not report.is_absent:
            lists[report.id] = report.space
        elif report.id.kind.allows:
            missing[report.id] = report.space
    desired = merge(policy, lists | missing, read_places())
    now = _now(site, desired)
    services = _services(policy, now)
    everything = (each for service in services for each in service.ports)
    asked = parts(ports or dict.fromkeys(everything), services)
    then = tuple(explain(policy, lists, desired, source, each) for each in asked)
    live, unseen = _connections(source, services, now, desired)
    changing = "refresh" if missing or gathered.renewed else "apply"
    return WhyReport(
        countries=countries_of(lists, source),
        countries_at_hand=tuple(i.name for i in lists if i.kind is ListKind.COUNTRY),
        asns=asns_of(lists, source),
        explanations=then,
        now=None
        if now.unread
        else tuple(explain_now(now.fences, source, each.ports, each) for each in then),
        next_run=changing,
        connections=live,
        ending=_ending(policy, lists, source, then, changing) if live else None,
        notes=(
            *gathered.notes,
            *(Note(NoteKind.LIST_MISSING, str(name)) for name in missing),
            *_by_interface(policy, then),
            *_kernel_notes(now, offline=not gathered.renewed),
            *unseen,
        ),
    )


def _services(policy: Policy, now: _Now) -> tuple[Fenced, ...]:
    """Return services of the rules, and those that the kernel fences otherwise."""
    ruled = [Fenced(each.name, each.ports) for each in policy.services]
    standing = [Fenced(s.name, s.ports) for fence in now.fences for s in fence.ruleset.services]
    return tuple(dict.fromkeys((*ruled, *standing)))


def _now(site: Site, desired: Ruleset) -> _Now:
    try:
        recorded = tuple(_recorded(site))
        seen = tuple(_seen())
    except (BackendError, StateError) as error:
        return _Now(unread=str(error))
    known = (*recorded, desired)
    found = (held(observed, known, backend.rules) for backend, observed in seen)
    return _Now(tuple(each for each in found if each), _is_as_ruled(seen, desired))


def _recorded(site: Site) -> Iterator[Ruleset]:
    for number in site.generations.numbers()[:_MOST_GENERATIONS]:
        found = site.generations.read(number)
        if not isinstance(found, Damaged):
            yield found.ruleset


def _seen() -> Iterator[tuple[Backend, Observed]]:
    """Yield what each backend sees in the kernel.

    Raises:
        BackendUnavailable: none can.
    """
    missing: list[BackendUnavailable] = []
    for name in registry.MODULES:
        backend = registry.load(name)
        try:
            yield backend, backend.observe()
        except BackendUnavailable as error:
            missing.append(error)
    if len(missing) == len(registry.MODULES):
        raise missing[0]


def _is_as_ruled(seen: Iterable[tuple[Backend, Observed]], desired: Ruleset) -> bool:
    """Whether one backend holds the ruleset, and no other backend anything."""
    holding = [(backend, observed) for backend, observed in seen if observed != Observed()]
    if len(holding) != 1:
        return False
    [(backend, observed)] = holding
    return make_plan(desired, observed, backend.rules(desired)).is_empty


def _kernel_notes(now: _Now, *, offline: bool) -> Iterator[Note]:
    """Yield notes on the kernel and the rules on disk."""
    if now.unread:
        yield Note(NoteKind.KERNEL_UNREAD, "", {"message": now.unread})
        return
    if not all(fence.exact for fence in now.fences):
        yield Note(NoteKind.RULES_CHANGED_BY_OTHERS)
    if not now.as_ruled:
        command = "geofence plan --offline" if offline else "geofence plan"
        yield Note(NoteKind.NOT_APPLIED_YET, "", {"command": command})


def _connections(
    source: Address, services: Iterable[Fenced], now: _Now, desired: Ruleset
) -> tuple[tuple[Connections, ...], tuple[Note, ...]]:
    """Return the current connections of the address; a note if they could not be read."""
    if now.unread:
        return (), ()
    try:
        flows = (flow for flow in read_flows() if Address(flow.family, flow.source) == source)
        rulesets = (*(fence.ruleset for fence in now.fences), desired)
        return connections(with_interfaces(flows, *rulesets), services, now.fences), ()
    except BackendError as error:
        return (), (Note(NoteKind.CONNECTIONS_UNREAD, "", {"message": str(error)}),)


def _ending(
    policy: Policy,
    lists: dict[ListId, AddressSpace],
    source: Address,
    then: Iterable[Explanation],
    changing: str,
) -> DropMethod:
    """Return how to drop the address's connections."""
    for exception in policy.enabled_exceptions():
        if source.is_in(exception_space(exception, lists)):
            return DropMethod(DropKind.REVOKE, exception.name)
    if not any(each.service and each.action is Action.PASS for each in then):
        return DropMethod(DropKind.CUT, changing)
    return DropMethod(DropKind.BLOCKLIST, f"{source}/{source.family.bits}")


def _by_interface(policy: Policy, found: Iterable[Explanation]) -> tuple[Note, ...]:
    """Return a note that a blocked address is allowed from trusted interfaces."""
    trusted = list(besides_loopback(policy.interfaces))
    if not trusted or all(each.action is Action.PASS for each in found):
        return ()
    return (Note(NoteKind.ALLOWED_BY_INTERFACE, "", {"interfaces": trusted}),)


def _answering(site: Site, policy: Policy, watch: Watch) -> Gathered:
    """Return the stored lists; where they give no answer, missing ones are fetched."""
    reports = stored(site, policy)
    absent = [report.id for report in reports if report.outcome is ListOutcome.MISSING]
    if not any(name.kind.allows for name in absent):
        return Gathered(reports)
    gathered = fetched(site, policy, absent, watch=watch, limits=_LIMITS)
    had = [str(candidate.accepted.id) for candidate in gathered.renewed]
    problems = (problem(each.problem, str(each.id)) for each in gathered.reports if each.problem)
    fetched_now = (Note(NoteKind.LISTS_FETCHED_FOR_ANSWER, "", {"lists": had}),) if had else ()
    return replace(gathered, notes=(*gathered.notes, *problems, *fetched_now))
