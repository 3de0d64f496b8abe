"""``why``: what a new packet from an address meets now, and after the next apply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from geofence.backends import registry
from geofence.backends.interface import Backend
from geofence.errors import BackendError, BackendUnavailable, StateError
from geofence.explain import Explanation, countries_of, explain, explain_now, parts
from geofence.fetch.limits import Limits
from geofence.flows.connections import Connections, Fenced, connections
from geofence.flows.conntrack import read_flows
from geofence.flows.interfaces import with_interfaces
from geofence.merge import exception_space, merge
from geofence.model.lists import ListId, ListKind
from geofence.model.plan import Observed
from geofence.model.policy import Policy, Ports, besides_loopback
from geofence.model.prefixes import AddressSpace, Family, address_text
from geofence.model.ruleset import Action, Ruleset
from geofence.observed_ruleset import Held, held
from geofence.operations.lists import Gathered, Watch, at_hand, fetched, stored, unwatched
from geofence.operations.report import ListOutcome, WhyReport
from geofence.operations.site import Site
from geofence.plan import make_plan
from geofence.routing.routes import read_places
from geofence.state.generations import Damaged

_LIMITS = Limits(connect=3.0, read=4.0, body=5.0, retries=0, resolve=3.0, run=6.0)
"""Somebody waits for the answer, and the kernel gives most of it."""
_MOST_GENERATIONS = 10
"""Recorded rulesets that the kernel's rules are compared with, the newest first."""


@dataclass(frozen=True, slots=True)
class _Now:
    """What the kernel holds."""

    fences: tuple[Held, ...] = ()
    as_ruled: bool = True
    """Whether that is what the rules and lists on disk mean."""
    unread: str = ""
    """Why the kernel could not be read; empty if it was."""


def why(
    site: Site,
    source: tuple[Family, int],
    ports: tuple[Ports, ...],
    watch: Watch = unwatched,
) -> WhyReport:
    """Return what a new packet from an address meets now and after the next apply, and why.

    What it meets now is told by the kernel's own sets and rules. Where a country list was never
    accepted, so that the rules on disk give no answer, the sources of all lists that never were are
    asked, for seconds; nothing is stored. One that does not answer holds nothing, as in the fence
    that stands without it.

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
    desired = merge(policy, lists | missing, read_places())
    now = _now(site, desired)
    services = _services(policy, now)
    everything = (each for service in services for each in service.ports)
    asked = parts(ports or dict.fromkeys(everything), services)
    then = tuple(explain(policy, lists, desired, source, each) for each in asked)
    live, unseen = _connections(source, services, now, desired)
    changing = "refresh" if missing or gathered.renewed else "apply"
    return WhyReport(
        countries=countries_of(lists, *source),
        countries_at_hand=tuple(i.name for i in lists if i.kind is ListKind.COUNTRY),
        explanations=then,
        now=None
        if now.unread
        else tuple(explain_now(now.fences, source, each.ports, each) for each in then),
        next_run=changing,
        connections=live,
        ending=_ending(policy, lists, source, then, changing) if live else "",
        notes=(
            *gathered.notes,
            *(
                f"There is no version of the list {name}: here it holds nothing."
                for name in missing
            ),
            *_let_in_otherwise(policy, then),
            *_standing(now, offline=not gathered.renewed),
            *unseen,
        ),
    )


def _services(policy: Policy, now: _Now) -> tuple[Fenced, ...]:
    """Those of the rules, and those that the kernel fences with other ports or without a rule."""
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
    """What each backend that can look into the kernel sees.

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


def _standing(now: _Now, *, offline: bool) -> Iterator[str]:
    """How the kernel relates to the rules on disk."""
    if now.unread:
        yield f"The kernel could not be read, so the answer is that of the rules: {now.unread}"
        return
    if not all(fence.exact for fence in now.fences):
        yield (
            "Other programs have changed geofence's rules in the kernel, so the answer about now "
            "is not certain; 'geofence apply' repairs them."
        )
    if not now.as_ruled:
        plan = "geofence plan --offline" if offline else "geofence plan"
        yield f"The kernel does not hold the rules on disk yet; '{plan}' tells the difference."


def _connections(
    source: tuple[Family, int], services: Iterable[Fenced], now: _Now, desired: Ruleset
) -> tuple[tuple[Connections, ...], tuple[str, ...]]:
    """The live connections of the address; a sentence if they could not be read."""
    if now.unread:
        return (), ()
    try:
        flows = (flow for flow in read_flows() if (flow.family, flow.source) == source)
        rulesets = (*(fence.ruleset for fence in now.fences), desired)
        return connections(with_interfaces(flows, *rulesets), services, now.fences), ()
    except BackendError as error:
        return (), (f"Live connections were not read: {error}",)


def _ending(
    policy: Policy,
    lists: dict[ListId, AddressSpace],
    source: tuple[Family, int],
    then: Iterable[Explanation],
    changing: str,
) -> str:
    """How to end the address's connections."""
    family, address = source
    for exception in policy.enabled_exceptions():
        if address in exception_space(exception, lists)[family]:
            return f"'geofence revoke {exception.name}' blocks the address and ends them."
    if not any(each.service and each.action is Action.PASS for each in then):
        return f"'geofence {changing} --cut' ends them."
    prefix = f"{address_text(family, address)}/{family.bits}"
    return (
        f'To end them, write [blocklist.NAME] with prefixes = ["{prefix}"] into your rules and run '
        "'geofence apply --cut'."
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
    gathered = fetched(site, policy, absent, watch=watch, limits=_LIMITS)
    had = ", ".join(str(candidate.accepted.id) for candidate in gathered.renewed)
    told = f"Fetched for this answer and not stored, for no version was ever accepted: {had}."
    problems = (report.problem for report in gathered.reports if report.problem)
    return replace(gathered, notes=(*gathered.notes, *problems, *((told,) if had else ())))
