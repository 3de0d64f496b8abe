"""What becomes of packets in the chains of others, followed from where packets enter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from geofence.model.frozen import dataclass, replace
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family
from geofence.other_rules.facts import (
    ALL,
    Condition,
    Deed,
    Deliver,
    Direction,
    Jump,
    Leave,
    NoTrack,
    OtherRules,
    OthersRule,
    OthersTable,
    Redirected,
    Span,
    Spans,
    Untracked,
)
from geofence.other_rules.port_ranges import within, without

Services = Mapping[str, tuple[Ports, ...]]

Fact = TypeVar("Fact", Untracked, Redirected)

_DEPTH = 16
"""Jumps that the kernel allows one after the other."""
_REACHES = 10_000
"""Rules visited in one table for one kind of packets; tables of machines can be large."""


@dataclass(frozen=True, slots=True)
class _Packets:
    """Some packets of one family and protocol."""

    family: Family
    protocol: Protocol
    destination: Spans = ALL
    source: Spans = ALL
    conditional: bool = False

    def that(self, condition: Condition) -> _Packets | None:
        """Return those that a condition is about; None if it is about none of them."""
        if self.family not in condition.families or self.protocol not in condition.protocols:
            return None
        destination = within(self.destination, condition.destination)
        source = within(self.source, condition.source)
        if not destination or not source:
            return None
        conditional = self.conditional or condition.further or not condition.new
        return replace(self, destination=destination, source=source, conditional=conditional)

    def after(self, gone: Condition) -> _Packets | None:
        """Return what is left once some have left; None for nothing.

        Where what is left cannot be told by ports, all stay.
        """
        if gone.further or not gone.new or self.that(gone) is None:
            return self
        if gone.source == ALL:
            left = replace(self, destination=without(self.destination, gone.destination))
        elif gone.destination == ALL:
            left = replace(self, source=without(self.source, gone.source))
        else:
            return self
        return left if left.destination and left.source else None


class _Met(NamedTuple):
    """A deed that some packets meet."""

    packets: _Packets
    hook: str
    chain: str
    deed: Deed


def find(tables: Iterable[OthersTable], services: Services) -> OtherRules:
    """Return what tables of others do to the services, given the ports of each.

    Pure; what two rules do to the same ports is told once, of the first.
    """
    met = [(table, each) for table in tables for each in _all_met(table)]
    return OtherRules(
        _once((each.packets.family, _untracked(table, each, services)) for table, each in met),
        _once((each.packets.family, _redirected(table, each, services)) for table, each in met),
    )


def _once(
    told: Iterable[tuple[Family, Iterable[Fact]]],
) -> tuple[Fact, ...]:
    """Return each fact once, with all its families and the first place where it was found."""
    found: dict[Fact, tuple[Fact, set[Family]]] = {}
    for family, facts in told:
        for fact in facts:
            found.setdefault(replace(fact, place=""), (fact, set()))[1].add(family)
    return tuple(
        replace(fact, families=tuple(sorted(families))) for fact, families in found.values()
    )


def _all_met(table: OthersTable) -> Iterator[_Met]:
    for chain, hook in table.hooks.items():
        for family in sorted(table.families):
            for protocol in Protocol:
                budget = iter(range(_REACHES))
                yield from _met(table, hook, chain, _Packets(family, protocol), _DEPTH, budget)


def _met(  # noqa: PLR0913, PLR0917 - the state of a walk
    table: OthersTable,
    hook: str,
    chain: str,
    packets: _Packets,
    depth: int,
    budget: Iterator[int],
) -> Iterator[_Met]:
    """Yield what packets meet in a chain and in those that it jumps to."""
    left: _Packets | None = packets
    for rule in table.chains.get(chain, ()):
        if left is None or next(budget, None) is None:
            return
        matched = left.that(rule.condition)
        if matched is None:
            continue
        if isinstance(rule.deed, Jump):
            if depth:
                yield from _met(table, hook, rule.deed.chain, matched, depth - 1, budget)
            continue
        yield _Met(matched, hook, chain, rule.deed)
        left = _left(left, rule)


def _left(packets: _Packets, rule: OthersRule) -> _Packets | None:
    if isinstance(rule.deed, Deliver):
        named = within(rule.condition.destination, rule.deed.named)
        return packets.after(replace(rule.condition, destination=named))
    return packets.after(rule.condition) if isinstance(rule.deed, Leave | NoTrack) else packets


def _untracked(table: OthersTable, met: _Met, services: Services) -> Iterator[Untracked]:
    if not isinstance(met.deed, NoTrack):
        return
    direction = Direction.IN if met.hook == "prerouting" else Direction.OUT
    inwards = direction is Direction.IN
    spans = met.packets.destination if inwards else met.packets.source
    other = met.packets.source if inwards else met.packets.destination
    narrowed = met.packets.conditional or other != ALL
    place = f"{table.place} {met.chain}"
    for service, ports in _fenced(met.packets.protocol, spans, services):
        yield Untracked(service, ports, direction, (), narrowed, place)


def _redirected(table: OthersTable, met: _Met, services: Services) -> Iterator[Redirected]:
    deed, packets = met.deed, met.packets
    if not isinstance(deed, Deliver) or met.hook != "prerouting":
        return
    narrowed = packets.conditional or packets.source != ALL
    place = f"{table.place} {met.chain}"
    for service, target in _fenced(packets.protocol, (deed.target,), services):
        named = without(
            within(packets.destination, deed.named), _spans(packets.protocol, services[service])
        )
        for span in named:
            door = Ports(packets.protocol, span.first, span.last)
            yield Redirected(service, door, target, deed.address, (), narrowed, place)


def _fenced(protocol: Protocol, spans: Spans, services: Services) -> Iterator[tuple[str, Ports]]:
    """Yield the ports of services that are among the given ones."""
    for service, ports in services.items():
        for span in within(_spans(protocol, ports), spans):
            yield service, Ports(protocol, span.first, span.last)


def _spans(protocol: Protocol, ports: Iterable[Ports]) -> Spans:
    return tuple(Span(each.first, each.last) for each in ports if each.protocol is protocol)
