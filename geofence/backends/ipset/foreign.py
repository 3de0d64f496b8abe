"""Chains that are named like geofence's and are not geofence's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from geofence.backends.ipset.rule import IptablesRule
from geofence.backends.ipset.shapes import SET_PREFIX


def of_others(
    named: Collection[str], entered: Collection[str], rules: Mapping[str, Iterable[IptablesRule]]
) -> frozenset[str]:
    """Return the chains that another program made: other chains lead there, and geofence's do not.

    A chain that looks into a set of geofence's is geofence's, whatever leads there, and so is one
    that no chain leads to any more.

    Args:
        named: chains that are named like geofence's.
        entered: those of them that the kernel's chains lead to.
        rules: of every chain of the table, by its name.
    """
    telling = {name for name in named if tell_ours(rules.get(name, ()))}
    own = _led_to({*entered, *telling}, named, rules)
    outside = rules.keys() - set(named)
    return frozenset(_led_to(outside, named, rules) - outside - own)


def tell_ours(rules: Iterable[IptablesRule]) -> bool:
    """Whether rules show that geofence made them: one looks into a set of geofence's."""
    return any(name.startswith(SET_PREFIX) for rule in rules for name in rule.sets)


def _led_to(
    start: Collection[str], named: Collection[str], rules: Mapping[str, Iterable[IptablesRule]]
) -> set[str]:
    """Return chains to start from, and those named like geofence's that their rules lead to."""
    found, waiting = set(start), list(start)
    while waiting:
        targets = {rule.target for rule in rules.get(waiting.pop(), ())}
        new = (targets & set(named)) - found
        found |= new
        waiting += new
    return found
