"""Chains that are named like geofence's and are not geofence's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

_OWN_SET = "--match-set geofence-"
"""What rules of geofence's look into, and no others."""


def of_others(
    named: Collection[str], entered: Collection[str], rules: Mapping[str, Iterable[str]]
) -> frozenset[str]:
    """Tell the chains that somebody else made: other chains lead there, and geofence's do not.

    A chain that looks into a set of geofence's is geofence's, whoever leads there, and so is one
    that nobody leads to any more.

    Args:
        named: chains that are named like geofence's.
        entered: those of them that the kernel's chains lead to.
        rules: of every chain of the table, by its name.
    """
    telling = {name for name in named if tell_ours(rules.get(name, ()))}
    own = _led_to({*entered, *telling}, named, rules)
    outside = rules.keys() - set(named)
    return frozenset(_led_to(outside, named, rules) - outside - own)


def tell_ours(rules: Iterable[str]) -> bool:
    """Whether rules show that geofence made them: one looks into a set of geofence's."""
    return any(_OWN_SET in rule for rule in rules)


def _led_to(
    start: Collection[str], named: Collection[str], rules: Mapping[str, Iterable[str]]
) -> set[str]:
    """Chains to start from, and those named like geofence's that their rules lead to."""
    found, waiting = set(start), list(start)
    while waiting:
        targets = {rule.split()[-1] for rule in rules.get(waiting.pop(), ())}
        new = (targets & set(named)) - found
        found |= new
        waiting += new
    return found
