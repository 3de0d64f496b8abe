"""What the chains of others drop or accept of packets to fenced ports. Pure.

A packet gets in if no chain that it enters drops it. Conditions on addresses, interfaces and sets
are not weighed: what only some packets meet counts as an opening, and not as a drop. The exception
is a rule that drops all but some sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family
from geofence.other_rules.facts import (
    ALL,
    Condition,
    Deliver,
    Entry,
    Jump,
    Leave,
    OthersRule,
    OthersTable,
    Span,
    Spans,
    Verdict,
)
from geofence.other_rules.port_ranges import within, without

Services = Mapping[str, tuple[Ports, ...]]

_DEPTH = 16
"""Jumps that the kernel allows one after the other."""
_MOST_RULES = 10_000
"""Rules visited in one chain for one kind of packets; tables of machines can be large."""
_OWN = "GEOFENCE"
"""The fence's chain of iptables; others of its begin so, before a ``-`` or a ``.``."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Other programs drop packets to fenced ports."""

    service: str
    ports: Ports
    place: str
    """Where: ``iptables filter INPUT``."""
    by_policy: bool = False
    """Whether the chain's policy does, since no rule accepts them."""
    but_some: bool = False
    """Whether some sources are left out."""
    families: tuple[Family, ...] = ()


@dataclass(frozen=True, slots=True)
class AcceptedBefore:
    """A rule accepts packets to fenced ports in a chain of iptables before the fence is asked."""

    service: str
    ports: Ports
    place: str
    families: tuple[Family, ...] = ()


@dataclass(frozen=True, slots=True)
class Filtering:
    """What chains of others do to packets for fenced ports."""

    dropped: tuple[Dropped, ...] = ()
    accepted_before: tuple[AcceptedBefore, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """Packets to a port are delivered to another address: a container's, as a rule."""

    named: Ports
    target: Ports
    address: str
    family: Family
    place: str


@dataclass
class _Fate:
    """What becomes of some ports in a chain."""

    dropped: dict[tuple[str, bool], Spans] = field(default_factory=dict)
    """By place, and whether some sources are left out."""
    by_policy: Spans = ()
    """What no rule decides, where the policy drops it."""
    accepted: Spans = ()
    """What some packets find open."""
    before: dict[str, Spans] = field(default_factory=dict)
    """What was accepted before the fence was asked, by place."""
    asked: bool = False
    """Whether the fence has been asked."""


def filtering(tables: Iterable[OthersTable], services: Services) -> Filtering:
    """Return what tables of others drop of packets to services, and accept before the fence.

    Each fact is told once, of the first place where it was found.
    """
    dropped: dict[Dropped, set[Family]] = {}
    accepted: dict[AcceptedBefore, set[Family]] = {}
    for table, chain, entry, family, protocol in _entries(tables):
        wanted = _spans(protocol, (each for ports in services.values() for each in ports))
        fate = _fate(table, chain, entry, family, protocol, wanted)
        for (place, but_some), spans in fate.dropped.items():
            for service, ports in _of_services(protocol, spans, services):
                fact = Dropped(service, ports, place, but_some=but_some)
                dropped.setdefault(fact, set()).add(family)
        for service, ports in _of_services(protocol, fate.by_policy, services):
            fact = Dropped(service, ports, f"{table.place} {chain}", by_policy=True)
            dropped.setdefault(fact, set()).add(family)
        for place, spans in fate.before.items():
            for service, ports in _of_services(protocol, spans, services):
                accepted.setdefault(AcceptedBefore(service, ports, place), set()).add(family)
    return Filtering(
        tuple(replace(each, families=tuple(sorted(held))) for each, held in dropped.items()),
        tuple(replace(each, families=tuple(sorted(held))) for each, held in accepted.items()),
    )


def published(tables: Iterable[OthersTable]) -> tuple[Published, ...]:
    """Return which ports other addresses get, by rules that rewrite destinations."""
    return tuple(
        dict.fromkeys(
            Published(
                Ports(protocol, named.first, named.last),
                Ports(protocol, rule.deed.target.first, rule.deed.target.last),
                rule.deed.address,
                family,
                f"{table.place} {chain}",
            )
            for table in tables
            for chain, rules in table.chains.items()
            for rule in rules
            if isinstance(rule.deed, Deliver) and rule.deed.address
            for family in sorted(table.families & rule.condition.families)
            for protocol in sorted(rule.condition.protocols)
            for named in within(rule.condition.destination, rule.deed.named)
            if (":" in rule.deed.address) == (family is Family.IPV6)
        )
    )


def _entries(
    tables: Iterable[OthersTable],
) -> Iterator[tuple[OthersTable, str, Entry, Family, Protocol]]:
    for table in tables:
        for chain, entry in table.entries.items():
            for family in sorted(table.families):
                for protocol in Protocol:
                    yield table, chain, entry, family, protocol


def _fate(  # noqa: PLR0913, PLR0917 - what a chain is entered with
    table: OthersTable,
    chain: str,
    entry: Entry,
    family: Family,
    protocol: Protocol,
    wanted: Spans,
) -> _Fate:
    fate = _Fate()
    walk = _Walk(table, family, protocol, fate, iter(range(_MOST_RULES)))
    rest = walk.through(chain, wanted, certain=True, depth=_DEPTH)
    if not fate.asked:  # the fence is not behind this chain
        fate.before.clear()
    if entry.drops and rest:
        fate.by_policy = without(rest, fate.accepted)
    return fate


@dataclass
class _Walk:
    """A walk of some packets through the chains of a table."""

    table: OthersTable
    family: Family
    protocol: Protocol
    fate: _Fate
    budget: Iterator[int]

    def through(self, chain: str, spans: Spans, *, certain: bool, depth: int) -> Spans:
        """Note what becomes of ports in a chain, and return those that come back from it.

        Args:
            chain: its name.
            spans: the ports.
            certain: whether all packets to them come here.
            depth: how many further jumps there may be.
        """
        left = spans
        returned: Spans = ()
        for rule in self.table.chains.get(chain, ()):
            met = self._met(rule.condition, left)
            if not met or next(self.budget, None) is None:
                continue
            all_of_them = not (rule.condition.further or rule.condition.source != ALL)
            if isinstance(rule.deed, Jump):
                left = self._jumped(
                    rule.deed, left, met, certain and all_of_them, all_of_them, depth
                )
            elif isinstance(rule.deed, Leave):
                self._decided(rule, f"{self.table.place} {chain}", met, certain)
                if all_of_them:
                    left = without(left, met)
                    returned += met if rule.deed.verdict is Verdict.RETURN else ()
        return within((*left, *returned), ALL)

    def _jumped(  # noqa: PLR0913, PLR0917 - what a jump is made with
        self, deed: Jump, left: Spans, met: Spans, certain: bool, all_of_them: bool, depth: int
    ) -> Spans:
        if _is_own(deed.chain):
            self.fate.asked = True
            return left
        if not depth or deed.chain not in self.table.chains:
            return left
        back = self.through(deed.chain, met, certain=certain, depth=depth - 1)
        return (*without(left, met), *back) if all_of_them else left

    def _decided(self, rule: OthersRule, place: str, met: Spans, certain: bool) -> None:
        condition, fate = rule.condition, self.fate
        verdict = rule.deed.verdict if isinstance(rule.deed, Leave) else Verdict.RETURN
        if verdict is Verdict.ACCEPT:
            fate.accepted = (*fate.accepted, *met)
            if not fate.asked:
                fate.before[place] = (*fate.before.get(place, ()), *met)
        elif verdict is Verdict.DROP and certain and condition.source == ALL:
            but_some = condition.further
            if not condition.narrowing:
                key = place, but_some
                fresh = without(met, fate.accepted)
                if fresh:
                    fate.dropped[key] = (*fate.dropped.get(key, ()), *fresh)

    def _met(self, condition: Condition, spans: Spans) -> Spans:
        about = self.family in condition.families and self.protocol in condition.protocols
        return within(spans, condition.destination) if about and condition.new else ()


def _is_own(chain: str) -> bool:
    return chain == _OWN or chain.startswith((f"{_OWN}-", f"{_OWN}."))


def _spans(protocol: Protocol, ports: Iterable[Ports]) -> Spans:
    return tuple(Span(each.first, each.last) for each in ports if each.protocol is protocol)


def _of_services(
    protocol: Protocol, spans: Spans, services: Services
) -> Iterator[tuple[str, Ports]]:
    """Yield the ports of services that are among the given ones, neighbours together."""
    for service, ports in services.items():
        for span in _united(within(_spans(protocol, ports), spans)):
            yield service, Ports(protocol, span.first, span.last)


def _united(spans: Spans) -> Spans:
    """Return ascending ranges without overlaps, neighbours as one."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.first <= found[-1].last + 1:
            found[-1] = Span(found[-1].first, max(found[-1].last, span.last))
        else:
            found.append(span)
    return tuple(found)
