"""Desired against observed."""

from __future__ import annotations

from geofence.model.plan import Observed, Plan, SetChange
from geofence.model.ruleset import Ruleset


def make_plan(desired: Ruleset, observed: Observed, rules_wanted: tuple[str, ...]) -> Plan:
    """What to do so that the kernel holds ``desired``.

    Args:
        desired: what the kernel should hold.
        observed: what it holds.
        rules_wanted: the desired rules in the backend's own language.
    """
    keys = sorted(desired.sets.keys() | observed.sets.keys(), key=lambda key: key.name)
    changes = (SetChange(key, observed.sets.get(key), desired.sets.get(key)) for key in keys)
    differing = tuple(change for change in changes if change.before != change.after)
    return Plan(desired, observed, differing, rules_wanted)
