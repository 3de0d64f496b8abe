"""A prefilter: one cheap look-up that drops most of the world.

A look-up in a set of intervals costs a few hundred nanoseconds with a country's list, and a dropped
packet takes one in each set that could have let it in. So a service has one more set per family:
the /16 networks that hold any address it allows. A source outside them is dropped after a single
look-up in a hash; only its neighbours are looked up exactly.

That is the first rule of all, for packets that begin a flow. A stranger's do; replies and those of
admitted flows do not. It excepts what may pass from anywhere. Banned sources are dropped by it like
others; only where sources are noted they are told from them.

The rules that pass a packet may come in any order, since each of them ends the chain with the same
verdict. What asks the least comes first: packets of known flows, which a telephone call mostly is,
are done with the first rule.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat

from geofence.backends.prefilter_key import LENGTH, PrefilterKey
from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import (
    Action,
    Admitted,
    Answering,
    Anything,
    ArrivedBy,
    Match,
    Reply,
    Role,
    Rule,
    Ruleset,
    SetKey,
    SetKind,
    SourceIn,
    SourceWithin,
)

_MOST = 1 << (LENGTH - 1)
"""A set around half of all addresses or more is not worth its memory."""
_PASSING = (Action.PASS, Action.ADMIT, Action.LOCAL)
"""What rules do that may come in any order; local rules decide no packet of others."""
_OF_KNOWN_FLOWS = (Reply, Answering, Admitted)
"""Matches of packets that begin no flow."""
_EAGERNESS = (Reply, Admitted, ArrivedBy)
"""Matches that need no set, by what they cost."""
_REMEMBERED = 16
"""Sets around which the networks are remembered."""


class ArrangedRules(NamedTuple):
    """A service's rules in an order that costs less, with the same verdicts."""

    before: tuple[Rule, ...]
    """Those that look into no set a dropped packet could have been in."""
    sources: tuple[Rule, ...]
    """Those that look for the source; a source in none of their sets is dropped."""
    last: tuple[Rule, ...]
    """The rule that drops everyone else."""


def arranged(rules: tuple[Rule, ...]) -> ArrangedRules:
    """Return the rules with those that pass packets in another order.

    What a runtime set holds changes without geofence, so no prefilter can enclose it: a rule that
    looks into one comes before the prefilter.
    """
    if not rules or (rules[-1].match, rules[-1].action) != (Anything(), Action.TURN_AWAY):
        return ArrangedRules(rules, (), ())
    start = len(rules) - 1
    while start and rules[start - 1].action in _PASSING:
        start -= 1
    passing = rules[start:-1]
    sources = tuple(rule for rule in passing if _is_enclosed(rule.match))
    others = sorted((rule for rule in passing if rule not in sources), key=_cost)
    return ArrangedRules((*rules[:start], *others), sources, rules[-1:])


def excepted(before: Iterable[Rule]) -> tuple[Match, ...] | None:
    """Return what may pass the first packet of a flow from anywhere.

    Args:
        before: the rules that look into no set a dropped packet could have been in.

    Returns:
        What can be asked in the negative; None if something cannot.
    """
    rules = [rule for rule in before if not isinstance(rule.match, _OF_KNOWN_FLOWS)]
    passing = [rule for rule in rules if rule.action is not Action.BANNED]
    known = all(rule.action is Action.PASS and _is_negatable(rule.match) for rule in passing)
    return tuple(rule.match for rule in passing) if known else None


def of_known_flows(before: Iterable[Rule]) -> Iterator[Rule]:
    """Yield the rules that pass packets of known flows, unless their sources are banned."""
    return (rule for rule in before if isinstance(rule.match, _OF_KNOWN_FLOWS))


def from_anywhere(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return the rules that decide a packet that begins a flow from far, but for the last one.

    It never matches those that look for known flows, nor exceptions for a time if the prefilter
    encloses these, too. Bans matter where anything may let it in but a trusted interface, which no
    ban stops.
    """
    asked = [rule for rule in arranged(rules).before if not _never_far(rule.match)]
    others = [rule for rule in asked if rule.action is not Action.BANNED]
    return tuple(others if all(isinstance(r.match, ArrivedBy) for r in others) else asked)


def _never_far(match: Match) -> bool:
    timed = isinstance(match, SourceIn) and match.role is Role.TIMED
    return timed or isinstance(match, _OF_KNOWN_FLOWS)


def _is_negatable(match: Match) -> bool:
    if isinstance(match, ArrivedBy):
        return match.interface != "*"
    return isinstance(match, SourceIn) and match.role.kind is SetKind.RUNTIME


def prefilter_sets(
    ruleset: Ruleset,
    enclosing: Callable[[Family, Iterable[PrefixSet]], PrefixSet] | None = None,
) -> dict[PrefilterKey, PrefixSet]:
    """Return the networks that enclose what each service allows.

    Args:
        ruleset: whose services they are.
        enclosing: returns what ``enclosing_networks`` does; None: that function.
    """
    enclosing = enclosing or enclosing_networks
    found: dict[PrefilterKey, PrefixSet] = {}
    for service in ruleset.services:
        sources = arranged(ruleset.rules(service)).sources
        for family in Family if sources else ():
            around = enclosing(family, _allowed(ruleset, sources, family))
            if around.size < _MOST << (family.bits - LENGTH):
                found[PrefilterKey(service.name, family)] = around
    return found


def enclosing_networks(family: Family, parts: Iterable[PrefixSet]) -> PrefixSet:
    """Return all addresses that share their first 16 bits with one of the given."""
    rest = family.bits - LENGTH
    spans = {span for part in parts for span in _spans(part.bounds, rest)}
    firsts = [first << rest for first, _ in spans]
    return PrefixSet.of_ranges(family, firsts, [past << rest for _, past in spans])


class Enclosing:
    """Returns what ``enclosing_networks`` does, and remembers it: a run asks several times."""

    def __init__(self) -> None:
        self._known: list[tuple[PrefixSet, PrefixSet]] = []

    def __call__(self, family: Family, parts: Iterable[PrefixSet]) -> PrefixSet:
        """Return all addresses that share their first 16 bits with one of the given."""
        around = [self._around(part) for part in parts if part and part.family is family]
        return around[0] if len(around) == 1 else PrefixSet.union(family, around)

    def _around(self, part: PrefixSet) -> PrefixSet:
        for known, around in self._known:
            if known == part:
                return around
        around = enclosing_networks(part.family, (part,))
        self._known = [(part, around), *self._known][:_REMEMBERED]
        return around


def _spans(bounds: Sequence[int], rest: int) -> Iterator[tuple[int, int]]:
    """Yield half-open ranges of networks that hold intervals, a network's intervals in one step.

    Args:
        bounds: those of the intervals.
        rest: bits of an address that are not of its network.
    """
    at = 0
    while at < len(bounds):
        network = bounds[at] >> rest
        at = bisect_left(bounds, (network + 1) << rest, at + 1)
        if at & 1:  # the last interval that begins in the network ends with it, or after it
            yield network, ((bounds[at] - 1) >> rest) + 1
            at += 1
        else:
            yield network, network + 1


def networks(around: PrefixSet) -> list[int]:
    """Return the first addresses of its /16 networks, ascending."""
    step = 1 << (around.family.bits - LENGTH)
    firsts, pasts = around.bounds[::2], around.bounds[1::2]
    return list(chain.from_iterable(map(range, firsts, pasts, repeat(step))))


def _is_enclosed(match: Match) -> bool:
    if isinstance(match, SourceIn):
        return match.role.kind is SetKind.DECLARED
    return isinstance(match, SourceWithin)


def _allowed(ruleset: Ruleset, sources: Iterable[Rule], family: Family) -> list[PrefixSet]:
    return [_held(ruleset, rule.match, family) for rule in sources]


def _held(ruleset: Ruleset, match: Match, family: Family) -> PrefixSet:
    """Return the addresses of a family that a rule looks for."""
    match match:
        case SourceIn(role, group):
            return ruleset.sets[SetKey(role, group, family)]
        case SourceWithin(prefix):
            return PrefixSet.of(family, (prefix,))
    return PrefixSet(family)


def _cost(rule: Rule) -> int:
    return _EAGERNESS.index(type(rule.match)) if type(rule.match) in _EAGERNESS else len(_EAGERNESS)
