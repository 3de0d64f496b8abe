"""Why an address gets in or not: the oracle's decision, with the rules and lists behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from geofence.flows.connections import Fenced
from geofence.merge import blocklist_space, exception_space
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy, Ports, Service
from geofence.model.prefixes import AddressSpace, Family, address_text
from geofence.model.ruleset import Action, LocalNetwork, Role, Ruleset, SetKey, SourceIn
from geofence.observed_ruleset import Held, decide_now
from geofence.routing.local_networks import LINK_LOCAL, where_trusted
from geofence.verdict import Decision, Packet, decide


@dataclass(frozen=True, slots=True)
class Explanation:
    """What becomes of a new packet from an address to some ports, and why."""

    ports: Ports
    service: str | None
    """None: these ports are not fenced."""
    action: Action
    because: str
    """One clause: the rule and the list that decide."""
    hint: str = ""
    """What the operator could do, if there is something."""


@dataclass(frozen=True, slots=True)
class _Question:
    policy: Policy
    lists: Mapping[ListId, AddressSpace]
    family: Family
    address: int
    local: tuple[LocalNetwork, ...]

    @property
    def trusted(self) -> list[str]:
        """The interfaces on which it is an address of a local network."""
        return where_trusted(self.local, self.family, self.address)

    def held_by(self, space: AddressSpace) -> bool:
        return self.address in space[self.family]


def countries_of(
    lists: Mapping[ListId, AddressSpace], family: Family, address: int
) -> tuple[str, ...]:
    """Codes of the countries whose lists, as far as they are at hand, hold the address."""
    return tuple(
        wanted.name
        for wanted, space in lists.items()
        if wanted.kind is ListKind.COUNTRY and address in space[family]
    )


def parts(asked: Iterable[Ports], services: Iterable[Service | Fenced]) -> tuple[Ports, ...]:
    """The ranges, cut where those of services begin and end: all of a part is decided alike."""
    fenced = [ports for service in services for ports in service.ports]
    return tuple(part for ports in asked for part in _cut(ports, fenced))


def _cut(ports: Ports, fenced: Iterable[Ports]) -> Iterator[Ports]:
    met = [other for other in fenced if other.overlaps(ports)]
    edges = {edge for other in met for edge in (other.first, other.last + 1)}
    firsts = sorted({ports.first, *(edge for edge in edges if ports.first < edge <= ports.last)})
    lasts = [*(first - 1 for first in firsts[1:]), ports.last]
    return (Ports(ports.protocol, *ends) for ends in zip(firsts, lasts, strict=True))


def explain(
    policy: Policy,
    lists: Mapping[ListId, AddressSpace],
    ruleset: Ruleset,
    source: tuple[Family, int],
    ports: Ports,
) -> Explanation:
    """What the fence does with a new packet from outside, and the rule and list behind it.

    Args:
        policy: the rules.
        lists: every list at hand, those of countries that are not allowed too.
        ruleset: what the policy and the lists were merged into.
        source: family and address.
        ports: the packet's destination ports, which are decided alike (see ``parts``).
    """
    question = _Question(policy, lists, *source, ruleset.local)
    packet = Packet(question.family, ports.protocol, question.address, ports.first)
    decision = decide(ruleset, packet)
    if decision.service is None:
        return Explanation(ports, None, decision.action, "no fenced service has this port")
    service = next(s for s in policy.services if s.name == decision.service.name)
    because, hint = _because(question, service, decision)
    return Explanation(ports, service.name, decision.action, because, hint)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the kernel does now with a new packet from an address to some ports."""

    service: str | None
    """None: these ports are not fenced, or there is no fence."""
    action: Action
    because: str
    """One clause."""
    fenced: bool = True
    """Whether the kernel holds a fence for the address's family."""


def explain_now(
    fences: Iterable[Held], source: tuple[Family, int], ports: Ports, expected: Explanation
) -> Answer:
    """Return what the kernel does now with a new packet from outside, and why.

    Args:
        fences: what the kernel holds.
        source: family and address.
        ports: the packet's destination ports, which are decided alike.
        expected: what the rules and lists on disk say; their reason holds where they agree.
    """
    family, address = source
    decision, fence = decide_now(fences, Packet(family, ports.protocol, address, ports.first))
    if fence is None:
        return Answer(None, decision.action, f"there is no fence for {family}", fenced=False)
    service = decision.service.name if decision.service else None
    if (service, decision.action) == (expected.service, expected.action):
        return Answer(service, decision.action, expected.because)
    return Answer(service, decision.action, _seen(fence.ruleset, decision, family))


def _seen(ruleset: Ruleset, decision: Decision, family: Family) -> str:
    """The kernel's own reason, where the rules on disk have another."""
    service = decision.service
    if service is None:
        return "the kernel fences no service with this port"
    match decision.rule.match if decision.rule else None:
        case SourceIn(role, group):
            return f"the kernel's set {SetKey(role, group, family).name} holds it"
    asked = (
        SetKey(Role.EXCEPTION, service.name, family),
        SetKey(Role.ALLOW, service.allow_group, family),
    )
    names = " and ".join(key.name for key in asked if key in ruleset.sets)
    return f"neither of the kernel's sets {names} holds it"


def _because(question: _Question, service: Service, decision: Decision) -> tuple[str, str]:
    match decision.rule.match if decision.rule else None:
        case SourceIn(Role.EXCEPTION, _):
            return _let_in_by(question, service), ""
        case SourceIn(Role.ALLOW, _):
            return _allowed_by(question, service), ""
    return _denied_by(question, service)


def _written(policy: Policy, table: str) -> str:
    origin = policy.origins.get(table)
    return f" ({origin})" if origin else ""


def _let_in_by(question: _Question, service: Service) -> str:
    policy = question.policy
    for exception in policy.enabled_exceptions():
        space = exception_space(exception, question.lists)
        if exception.opens(service.name) and question.held_by(space):
            where = _written(policy, f"exception.{exception.name}")
            return f"the exception {exception.name}{where} lets it in"
    return "the fence lets it in"


def _allowed_by(question: _Question, service: Service) -> str:
    allowed = question.policy.service_countries(service)
    codes = countries_of(question.lists, question.family, question.address)
    named = [code for code in codes if code in allowed]
    table = "allow" if service.countries is None else f"service.{service.name}"
    where = _written(question.policy, table)
    return f"the list country {' and '.join(named)} holds it, which is allowed{where}"


def _denied_by(question: _Question, service: Service) -> tuple[str, str]:
    policy = question.policy
    allowed = policy.service_countries(service)
    codes = countries_of(question.lists, question.family, question.address)
    hint = _opening(question, service) or _locally(question)
    if set(codes) & set(allowed):
        return f"the {_blocking(question)} holds it", hint
    named = ", ".join(allowed) or "none"
    missing = [code for code in allowed if ListId(ListKind.COUNTRY, code) not in question.lists]
    but = f", and there is none of {', '.join(missing)}" if missing else ""
    elsewhere = _elsewhere(question)
    return f"no list of an allowed country ({named}) holds it{but}{elsewhere}", hint


def _elsewhere(question: _Question) -> str:
    """Where it would be trusted; that it is nowhere, if the rules name its network."""
    if question.trusted:
        where = _written(question.policy, "local")
        only = " and ".join(question.trusted)
        return f"; it is of a local network{where} on {only} only, and from there it gets in"
    if question.held_by(question.policy.local):
        where = _written(question.policy, "local")
        return f"; it is of a local network{where}, but no interface is connected or routed to it"
    return ""


def _locally(question: _Question) -> str:
    """How to trust a local address on an interface where it is not trusted."""
    space = question.policy.local | AddressSpace.of(LINK_LOCAL)
    if not question.trusted and not question.held_by(space):
        return ""
    address = address_text(question.family, question.address)
    written = f"{address}/{question.family.bits}@INTERFACE"
    return f'[local] prefixes with "{written}" lets it in by that interface'


def _blocking(question: _Question) -> str:
    for blocklist in question.policy.enabled_blocklists():
        if question.held_by(blocklist_space(blocklist, question.lists)):
            where = _written(question.policy, f"blocklist.{blocklist.name}")
            return f"blocklist {blocklist.name}{where}"
    return "fence"


def _opening(question: _Question, service: Service) -> str:
    for exception in question.policy.exceptions:
        space = exception_space(exception, question.lists)
        if exception.opens(service.name) and not exception.enabled and question.held_by(space):
            return f"'geofence allow {exception.name}' lets it in"
    return ""
