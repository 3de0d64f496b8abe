"""The verdict on an address, with the rules and lists behind it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from geofence.allowed.catalog import allowed_by_group
from geofence.flows.connections import Fenced
from geofence.geoip.scopes import LINK_LOCAL
from geofence.merge import blocklist_space, exception_space
from geofence.model.address import Address
from geofence.model.bans import Ban
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy, Ports, Service
from geofence.model.prefixes import AddressSpace, Family, prefix_text
from geofence.model.reasons import Hint, HintKind, Reason, ReasonKind
from geofence.model.ruleset import Action, LocalNetwork, Role, Ruleset, SetKey, SourceIn
from geofence.plan.observed_ruleset import Held, decide_now
from geofence.routing.local_networks import where_trusted
from geofence.verdict import Decision, Packet, Step, decide, steps


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict of the rules on a new packet from an address to some ports."""

    ports: Ports
    service: str | None
    """None: these ports are not fenced."""
    action: Action
    because: Reason
    """The rule and the list that decide."""
    hints: tuple[Hint, ...] = ()
    """What would change the verdict, the best first."""
    observed: bool = False
    """Whether it passes only because the service is observed."""
    steps: tuple[Step, ...] = ()
    """The rules that the packet meets; the last one decides."""

    @property
    def blocks(self) -> bool:
        """Whether the rules block it, be it that the service is only observed."""
        return self.action is Action.DROP or self.observed

    @property
    def hint(self) -> Hint | None:
        """Hint at what would allow it, if there is something."""
        return self.hints[0] if self.hints and self.blocks else None


@dataclass(frozen=True, slots=True)
class Known:
    """What else is known of an address."""

    bans: tuple[Ban, ...] = ()
    """The bans that it is in."""
    country: str | None = None
    """Code of its country by other lists than those at hand; None if unknown."""


_NOTHING = Known()


@dataclass(frozen=True, slots=True)
class _Question:
    policy: Policy
    lists: Mapping[ListId, AddressSpace]
    source: Address
    local: tuple[LocalNetwork, ...]
    known: Known

    @property
    def trusted(self) -> list[str]:
        """The interfaces on which it is an address of a local network."""
        return where_trusted(self.local, self.source.family, self.source.number)

    def held_by(self, space: AddressSpace) -> bool:
        return self.source.is_in(space)


def countries_of(lists: Mapping[ListId, AddressSpace], source: Address) -> tuple[str, ...]:
    """Return the codes of the countries whose stored lists hold the address."""
    return tuple(
        wanted.name
        for wanted, space in lists.items()
        if wanted.kind is ListKind.COUNTRY and source.is_in(space)
    )


def asns_of(lists: Mapping[ListId, AddressSpace], source: Address) -> tuple[int, ...]:
    """Return the AS numbers whose stored lists hold the address."""
    return tuple(
        int(wanted.name)
        for wanted, space in lists.items()
        if wanted.kind is ListKind.ASN and source.is_in(space)
    )


def parts(asked: Iterable[Ports], services: Iterable[Service | Fenced]) -> tuple[Ports, ...]:
    """Return the ranges, cut where those of services begin and end."""
    fenced = [ports for service in services for ports in service.ports]
    return tuple(part for ports in asked for part in _cut(ports, fenced))


def _cut(ports: Ports, fenced: Iterable[Ports]) -> Iterator[Ports]:
    met = [other for other in fenced if other.overlaps(ports)]
    edges = {edge for other in met for edge in (other.first, other.last + 1)}
    firsts = sorted({ports.first, *(edge for edge in edges if ports.first < edge <= ports.last)})
    lasts = [*(first - 1 for first in firsts[1:]), ports.last]
    return (Ports(ports.protocol, *ends) for ends in zip(firsts, lasts, strict=True))


def explain(  # noqa: PLR0913 - all that a verdict depends on
    policy: Policy,
    lists: Mapping[ListId, AddressSpace],
    ruleset: Ruleset,
    source: Address,
    ports: Ports,
    *,
    known: Known = _NOTHING,
) -> Explanation:
    """Return what the fence does with a new packet from outside, and why.

    Args:
        policy: the rules.
        lists: every stored list, those of countries that are not allowed, too.
        ruleset: the policy and the lists, merged, with what its runtime sets hold.
        source: the address.
        ports: the packet's destination ports, which are decided alike (see ``parts``).
        known: what else is known of the address.
    """
    question = _Question(policy, lists, source, ruleset.local, known)
    packet = Packet(source.family, ports.protocol, source.number, ports.first)
    decision = decide(ruleset, packet)
    if decision.service is None:
        return Explanation(ports, None, decision.action, Reason(ReasonKind.NOT_FENCED))
    service = next(s for s in policy.services if s.name == decision.service.name)
    because, hints = _because(question, service, decision)
    if because.kind is ReasonKind.BANNED:
        hints = (*hints, *_without_bans(question, ruleset, service, packet))
    return Explanation(
        ports,
        service.name,
        decision.action,
        because,
        hints,
        decision.observed,
        steps(ruleset, packet),
    )


def _without_bans(
    question: _Question, ruleset: Ruleset, service: Service, packet: Packet
) -> tuple[Hint, ...]:
    """Return what it would take to allow a banned address once the bans have ended."""
    rest = {key: held for key, held in ruleset.runtime.items() if key.role is not Role.BAN}
    decision = decide(replace(ruleset, runtime=rest), packet)
    if decision.action is Action.PASS and not decision.observed:
        return ()
    return _because(question, service, decision)[1]


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict of the kernel, now, on a new packet from an address to some ports."""

    service: str | None
    """None: these ports are not fenced, or there is no fence."""
    action: Action
    because: Reason
    fenced: bool = True
    """Whether the kernel holds a fence for the address's family."""
    observed: bool = False
    """Whether it passes only because the service is observed."""
    steps: tuple[Step, ...] = ()
    """The kernel's rules that the packet meets; the last one decides."""


def explain_now(
    fences: Iterable[Held], source: Address, ports: Ports, expected: Explanation
) -> Answer:
    """Return what the kernel does now with a new packet from outside, and why.

    Args:
        fences: what the kernel holds.
        source: the address.
        ports: the packet's destination ports, which are decided alike.
        expected: what the rules and lists on disk say; their reason holds where they agree.
    """
    family = source.family
    packet = Packet(family, ports.protocol, source.number, ports.first)
    decision, fence = decide_now(fences, packet)
    if fence is None:
        return Answer(None, decision.action, Reason(ReasonKind.NO_FENCE, str(family)), fenced=False)
    service = decision.service.name if decision.service else None
    met = steps(fence.ruleset, packet)
    found = (service, decision.action, decision.observed)
    because = expected.because
    if (
        found != (expected.service, expected.action, expected.observed)
        or met[-1:] != expected.steps[-1:]
    ):
        because = _seen(fence.ruleset, decision, family)
    return Answer(service, decision.action, because, observed=decision.observed, steps=met)


def _seen(ruleset: Ruleset, decision: Decision, family: Family) -> Reason:
    """Return the kernel's own reason, where the rules on disk have another."""
    service = decision.service
    if service is None:
        return Reason(ReasonKind.NO_SERVICE_IN_KERNEL)
    match decision.rule.match if decision.rule else None:
        case SourceIn(role, group):
            return Reason(ReasonKind.IN_SET, SetKey(role, group, family).name)
    if decision.rule and decision.rule.action is Action.DROP:
        return Reason(ReasonKind.IN_SET, SetKey(Role.BAN, "", family).name)
    asked = (
        SetKey(Role.EXCEPTION, service.name, family),
        SetKey(Role.ALLOW, service.allow_group, family),
    )
    names = [key.name for key in asked if key in ruleset.sets]
    return Reason(ReasonKind.IN_NO_SET, data={"sets": names})


def _because(
    question: _Question, service: Service, decision: Decision
) -> tuple[Reason, tuple[Hint, ...]]:
    rule = decision.rule
    match rule.match if rule else None:
        case SourceIn(Role.TIMED, _):
            return _timed(question, service)
        case SourceIn(Role.EXCEPTION, _):
            return _exception(question, service)
        case SourceIn(Role.ALLOW, _):
            return _allowing(question, service), (_banning(question),)
    if rule and rule.action is Action.DROP:
        return _banned(question)
    return _blocked(question, service)


def _banning(question: _Question) -> Hint:
    return Hint(HintKind.BAN, str(question.source))


def _banned(question: _Question) -> tuple[Reason, tuple[Hint, ...]]:
    """Return the ban that ends last, and how to end all."""
    bans = sorted(question.known.bans, key=lambda ban: (ban.until is None, ban.until, ban.prefix))
    if not bans:  # so many that they are not told one by one
        return Reason(ReasonKind.BANNED, data={"since": None, "until": None, "reason": ""}), ()
    ban = bans[-1]
    facts = {
        "since": ban.at.isoformat(),
        "until": None if ban.until is None else ban.until.isoformat(),
        "reason": ban.reason,
    }
    ends = tuple(Hint(HintKind.UNBAN, prefix_text(each.prefix)) for each in reversed(bans))
    return Reason(ReasonKind.BANNED, prefix_text(ban.prefix), data=facts), ends


def _timed(question: _Question, service: Service) -> tuple[Reason, tuple[Hint, ...]]:
    """Return what allows an address until a time; of several, the one that ends last."""
    policy = question.policy
    named = [
        (each.until, ReasonKind.TIMED_EXCEPTION, each.name, f"exception.{each.name}")
        for each in policy.enabled_exceptions()
        if each.until and each.opens(service.name)
        if question.held_by(exception_space(each, question.lists))
    ]
    codes = countries_of(question.lists, question.source)
    countries = [
        (each.until, ReasonKind.TIMED_COUNTRY, each.code, f"country.{each.code}")
        for each in policy.timed_countries()
        if each.until and each.concerns(service.name) and each.code in codes
    ]
    if not named and not countries:
        return Reason(ReasonKind.ALLOWED_BY_RULES), ()
    until, kind, name, table = max((*named, *countries))
    revoke = HintKind.REVOKE if kind is ReasonKind.TIMED_EXCEPTION else HintKind.REVOKE_COUNTRY
    reason = Reason(kind, name, _written(policy, table), {"until": until.isoformat()})
    return reason, (Hint(revoke, name),)


def _written(policy: Policy, table: str) -> str:
    """Return the file and line of a table of the rules."""
    return str(policy.origins.get(table) or "")


def _exception(question: _Question, service: Service) -> tuple[Reason, tuple[Hint, ...]]:
    policy = question.policy
    for exception in policy.enabled_exceptions():
        space = exception_space(exception, question.lists)
        if exception.until or not exception.opens(service.name):
            continue
        if question.held_by(space):
            where = _written(policy, f"exception.{exception.name}")
            reason = Reason(ReasonKind.EXCEPTION, exception.name, where)
            return reason, (Hint(HintKind.REVOKE, exception.name),)
    return Reason(ReasonKind.ALLOWED_BY_RULES), ()


def _allowing(question: _Question, service: Service) -> Reason:
    """Return the countries and AS numbers that allow an address, and where the rules name them."""
    allowed = question.policy.allowed(service)
    codes = countries_of(question.lists, question.source)
    numbers = asns_of(question.lists, question.source)
    own = service.countries is not None or service.asns is not None
    return Reason(
        ReasonKind.COUNTRY,
        origin=_written(question.policy, f"service.{service.name}" if own else "allow"),
        data={
            "countries": [code for code in codes if code in allowed.countries],
            "asns": [number for number in numbers if number in allowed.asns],
        },
    )


def _blocked(question: _Question, service: Service) -> tuple[Reason, tuple[Hint, ...]]:
    policy = question.policy
    allowed = policy.allowed(service)
    listed = any(
        question.held_by(question.lists.get(name, AddressSpace())) for name in allowed.lists
    )
    hints = _opening(question, service, listed=listed)
    if listed:
        return _blocklist(question), hints
    missing = [list_label(name) for name in allowed.lists if name not in question.lists]
    local = bool(question.trusted) or question.held_by(policy.local)
    reason = Reason(
        ReasonKind.NO_COUNTRY,
        origin=_written(policy, "local") if local else "",
        data={
            "countries": list(allowed.countries),
            "asns": list(allowed.asns),
            "missing": missing,
            "local": local,
            "interfaces": question.trusted,
        },
    )
    return reason, hints


def _locally(question: _Question) -> Hint | None:
    """Return how to allow a local address on an interface where it is not allowed."""
    space = question.policy.local | AddressSpace.of(LINK_LOCAL)
    if not question.trusted and not question.held_by(space):
        return None
    source = question.source
    return Hint(HintKind.LOCAL_PREFIX, f"{source}/{source.family.bits}@INTERFACE")


def _blocklist(question: _Question) -> Reason:
    for blocklist in question.policy.enabled_blocklists():
        if question.held_by(blocklist_space(blocklist, question.lists)):
            where = _written(question.policy, f"blocklist.{blocklist.name}")
            return Reason(ReasonKind.BLOCKED_BY_LIST, blocklist.name, where)
    return Reason(ReasonKind.BLOCKED_BY_RULES)


def list_label(name: ListId) -> str:
    """Return the list of a country or AS number as people write it: ``JP``, ``AS4713``."""
    return f"AS{name.name}" if name.kind is ListKind.ASN else name.name


def _opening(question: _Question, service: Service, *, listed: bool) -> tuple[Hint, ...]:
    """Return what would allow an address, the best first.

    An exception that the rules know is better than one made for the address; a whole country comes
    last, and only for who is in no allowed one.
    """
    for exception in question.policy.exceptions:
        space = exception_space(exception, question.lists)
        if exception.opens(service.name) and not exception.enabled and question.held_by(space):
            group = allowed_by_group(exception, question.policy.exceptions)
            if group:
                return (Hint(HintKind.ALLOW_GROUP, group),)
            return (Hint(HintKind.ALLOW_EXCEPTION, exception.name),)
    local = _locally(question)
    if local:
        return (local,)
    address = Hint(HintKind.ALLOW_ADDRESS, str(question.source))
    codes = countries_of(question.lists, question.source) or filter(None, (question.known.country,))
    if listed:
        return (address,)
    return (address, *(Hint(HintKind.ALLOW_COUNTRY, code) for code in codes))
