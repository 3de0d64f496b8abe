"""One cheap look-up that turns most of the world away.

A look-up in a set of intervals costs a few hundred nanoseconds with a country's list, and a dropped
packet takes one in each set that could have let it in. So a service has one more set per family:
the /16 networks that hold any address it lets in. A source outside them is dropped after a single
look-up in a hash; only its neighbours are looked up exactly.

The rules that pass a packet may come in any order, since each of them ends the chain with the same
verdict. What asks the least comes first: packets of known flows, which a telephone call mostly is,
are done with the first rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import (
    Action,
    Admitted,
    Anything,
    ArrivedBy,
    Match,
    Reply,
    Rule,
    Ruleset,
    SetKey,
    SourceIn,
    SourceWithin,
)

LENGTH = 16
"""Of the prefixes. IPv4 and IPv6 alike: there are never more than 65,536, and what registries give
out to one country (RFC 7020) lies close together in both."""
_MOST = 1 << (LENGTH - 1)
"""A set around half of all addresses or more is not worth its memory."""
_STEM = "near"
_EAGERNESS = (Reply, Admitted, ArrivedBy)
"""Matches that need no set, by what they cost."""


class NearKey(NamedTuple):
    """Which of these sets."""

    service: str
    family: Family

    @property
    def name(self) -> str:
        """Unique among geofence's sets: ``near4-sip``."""
        return f"{_STEM}{self.family.digit}-{self.service}"

    @classmethod
    def parse(cls, name: str) -> NearKey | None:
        """The inverse of ``name``; None for a name that geofence does not give."""
        stem, _, service = name.partition("-")
        for family in Family:
            if stem == f"{_STEM}{family.digit}":
                return cls(service, family)
        return None


class Chain(NamedTuple):
    """A service's rules in an order that costs less, with the same verdicts."""

    before: tuple[Rule, ...]
    """Those that look into no set a dropped packet could have been in."""
    sources: tuple[Rule, ...]
    """Those that look for the source; whoever is in none of their sets is dropped."""
    last: tuple[Rule, ...]
    """The rule that drops everyone else."""


def arranged(rules: tuple[Rule, ...]) -> Chain:
    """Put into another order the rules that pass packets on before everyone else is dropped."""
    if not rules or (rules[-1].match, rules[-1].action) != (Anything(), Action.DROP):
        return Chain(rules, (), ())
    start = len(rules) - 1
    while start and rules[start - 1].action is not Action.DROP:
        start -= 1
    passing = rules[start:-1]
    sources = tuple(rule for rule in passing if isinstance(rule.match, SourceIn | SourceWithin))
    others = sorted((rule for rule in passing if rule not in sources), key=_cost)
    return Chain((*rules[:start], *others), sources, rules[-1:])


def near_sets(ruleset: Ruleset) -> dict[NearKey, PrefixSet]:
    """The networks around what each service lets in."""
    found: dict[NearKey, PrefixSet] = {}
    for service in ruleset.services:
        sources = arranged(ruleset.rules(service)).sources
        for family in Family if sources else ():
            around = surroundings(family, _let_in(ruleset, sources, family))
            if around.size < _MOST << (family.bits - LENGTH):
                found[NearKey(service.name, family)] = around
    return found


def surroundings(family: Family, parts: Iterable[PrefixSet]) -> PrefixSet:
    """All addresses that share their first 16 bits with one of the given."""
    host = (1 << (family.bits - LENGTH)) - 1
    firsts: list[int] = []
    pasts: list[int] = []
    for part in parts:
        firsts += (first & ~host for first in part.bounds[0::2])
        pasts += ((past + host) & ~host for past in part.bounds[1::2])
    return PrefixSet.of_ranges(family, firsts, pasts)


def networks(around: PrefixSet) -> list[int]:
    """The first addresses of its /16 networks, ascending."""
    step = 1 << (around.family.bits - LENGTH)
    return [network for bounds in around.intervals() for network in range(*bounds, step)]


def _let_in(ruleset: Ruleset, sources: Iterable[Rule], family: Family) -> list[PrefixSet]:
    return [_held(ruleset, rule.match, family) for rule in sources]


def _held(ruleset: Ruleset, match: Match, family: Family) -> PrefixSet:
    """The addresses of a family that a rule looks for."""
    match match:
        case SourceIn(role, group):
            return ruleset.sets[SetKey(role, group, family)]
        case SourceWithin(prefix):
            return PrefixSet.of(family, (prefix,))
    return PrefixSet(family)


def _cost(rule: Rule) -> int:
    return _EAGERNESS.index(type(rule.match)) if type(rule.match) in _EAGERNESS else len(_EAGERNESS)
