"""A parser of ``iptables-save``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from geofence.model.frozen import dataclass, replace
from geofence.model.policy import Protocol
from geofence.model.prefixes import Family
from geofence.other_rules.facts import (
    ALL,
    Condition,
    Deed,
    Deliver,
    Entry,
    Jump,
    Leave,
    NoTrack,
    OthersRule,
    OthersTable,
    Span,
    Spans,
    Verdict,
)
from geofence.other_rules.port_ranges import complement

_HOOKS = {"PREROUTING": "prerouting", "OUTPUT": "output"}
_ENTRIES = {"PREROUTING": "prerouting", "INPUT": "input"}
_STATES = {"--ctstate", "--state"}
_EXCLUDING = {"-s", "--match-set", "--src-range"}
"""Options that, negated, leave all sources but some."""
_PROTOCOLS = {
    "udp": {Protocol.UDP},
    "17": {Protocol.UDP},
    "tcp": {Protocol.TCP},
    "6": {Protocol.TCP},
    "all": set(Protocol),
}
_DESTINATION = {"--dport", "--dports", "--destination-port"}
_SOURCE = {"--sport", "--sports", "--source-port"}
_SAYS_NOTHING = {"-m", "--comment"}
_LEAVING = {
    "ACCEPT": Verdict.ACCEPT,
    "RETURN": Verdict.RETURN,
    "DROP": Verdict.DROP,
    "REJECT": Verdict.DROP,
}
_KNOWN_TARGETS = {*_LEAVING, "CT", "NOTRACK", "REDIRECT", "DNAT"}
_WHERE_TO = re.compile(
    r"(?:\[(?P<six>[^]]+)\]|(?P<four>[^:\[\]]+))?:(?P<first>\d+)(?:-(?P<last>\d+))?"
)


class _Option(NamedTuple):
    """``! --dport 5060``: an option, its values, and whether it is negated."""

    name: str
    values: tuple[str, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class _Parsed:
    condition: Condition
    target: str = ""
    options: tuple[_Option, ...] = ()


def parse(text: str, table: str, family: Family) -> OthersTable:
    """Return one table out of what ``iptables-save`` printed.

    What is not understood is left out.
    """
    program = "iptables" if family is Family.IPV4 else "ip6tables"
    chains: dict[str, list[OthersRule]] = {}
    policies: dict[str, str] = {}
    helpers: dict[str, None] = {}
    for line in text.splitlines():
        if line.startswith(":"):
            name, policy, *_ = (*line[1:].split(), "", "")
            chains.setdefault(name, [])
            policies[name] = policy
        elif line.startswith("-A "):
            words = _words(line)
            if len(words) > 1:
                chains.setdefault(words[1], []).extend(_rules(words[2:]))
                helpers |= {words[1]: None} if _gives_sip_helper(words) else {}
    hooks = {name: hook for name, hook in _HOOKS.items() if name in chains}
    entries = {
        name: Entry(hook, policies.get(name) == "DROP")
        for name, hook in _ENTRIES.items()
        if name in chains
    }
    held = {name: tuple(rules) for name, rules in chains.items()}
    place = f"{program} {table}"
    return OthersTable(place, hooks, held, frozenset({family}), entries, tuple(helpers))


def _gives_sip_helper(words: list[str]) -> bool:
    return "CT" in words and ("--helper", "sip") in pairwise(words)


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # a quote that does not end
        return []


def _rules(words: list[str]) -> Iterator[OthersRule]:
    parsed = _Parsed(Condition())
    for option in _options(words):
        if parsed.target:
            parsed = replace(parsed, options=(*parsed.options, option))
        elif option.name in {"-j", "-g"} and option.values:
            parsed = replace(parsed, target=option.values[0])
        else:
            narrower = _narrower(parsed.condition, option)
            if narrower is None:
                return
            parsed = replace(parsed, condition=narrower)
    deed = _deed(parsed.target, parsed.options)
    if deed is not None:
        yield OthersRule(parsed.condition, deed)


def _options(words: list[str]) -> Iterator[_Option]:
    name, values, negated, negate_next = "", [""], False, False
    for word in words:
        if word == "!":
            negate_next = True
        elif word.startswith("-") and len(word) > 1:
            if name:
                yield _Option(name, tuple(values), negated)
            name, values, negated, negate_next = word, [], negate_next, False
        else:
            values.append(word)
    if name:
        yield _Option(name, tuple(values), negated)


def _narrower(  # noqa: PLR0911 - one an option
    condition: Condition, option: _Option
) -> Condition | None:
    """Return the condition with one more option; None if only loopback can meet it."""
    name, value = option.name, option.values[0] if option.values else ""
    if name in _SAYS_NOTHING or (name == "--dst-type" and value == "LOCAL" and not option.negated):
        return condition
    if name in {"-i", "-o"} and value == "lo":
        return condition if option.negated else None
    if name == "-p":
        named = _PROTOCOLS.get(value, set())
        meant = set(Protocol) - named if option.negated else named
        return replace(condition, protocols=condition.protocols & frozenset(meant))
    if name in _DESTINATION | _SOURCE:
        spans = _spans(value)
        if spans is not None:
            spans = complement(spans) if option.negated else spans
            if name in _SOURCE:
                return replace(condition, source=spans)
            return replace(condition, destination=spans)
    if name in _STATES:
        return replace(
            condition, new=condition.new and ("NEW" in value.split(",")) != option.negated
        )
    return condition.with_further(excluding=option.negated and name in _EXCLUDING)


def _spans(text: str) -> Spans | None:
    spans = []
    for part in text.split(","):
        first, colon, last = part.partition(":")
        if not first.isdecimal() or not (last.isdecimal() or not colon):
            return None
        spans.append(Span(int(first), int(last) if colon else int(first)))
    return tuple(spans)


def _deed(target: str, options: tuple[_Option, ...]) -> Deed | None:
    if target == "NOTRACK" or (target == "CT" and any(o.name == "--notrack" for o in options)):
        return NoTrack()
    if target in {"REDIRECT", "DNAT"}:
        return _delivery(options)
    if target in _LEAVING:
        return Leave(_LEAVING[target])
    # A target that is not known may be a chain or an extension; an extension's name is no chain.
    return Jump(target) if target and target not in _KNOWN_TARGETS else None


def _delivery(options: tuple[_Option, ...]) -> Deed:
    """Return where packets are delivered; where the port stays, they have left."""
    for option in options:
        value = option.values[0] if option.values else ""
        if option.name in {"--to-ports", "--to-destination"}:
            text = f":{value}" if option.name == "--to-ports" else value
            found = _WHERE_TO.fullmatch(text)
            if found is not None:
                first = int(found["first"])
                target = Span(first, int(found["last"] or first))
                return Deliver(ALL, target, found["six"] or found["four"])
    return Leave(Verdict.ACCEPT)
