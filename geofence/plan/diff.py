"""The difference between a desired ruleset and an observed kernel."""

from __future__ import annotations

from geofence.model.plan import Observed, Plan, SetChange
from geofence.model.ruleset import Ruleset, SetKind


def make_plan(desired: Ruleset, observed: Observed, rules_wanted: tuple[str, ...]) -> Plan:
    """Return what to do so that the kernel holds ``desired``.

    Args:
        desired: what the kernel should hold.
        observed: what it holds.
        rules_wanted: the desired rules in the backend's own language.
    """
    keys = sorted(desired.sets.keys() | observed.sets.keys(), key=lambda key: key.name)
    changes = (SetChange(key, observed.sets.get(key), desired.sets.get(key)) for key in keys)
    differing = tuple(change for change in changes if _differs(change))
    return Plan(desired, observed, differing, rules_wanted)


def _differs(change: SetChange) -> bool:
    """Whether there is something to do: for a runtime set, only if it is missing or should go."""
    if change.key.kind is SetKind.RUNTIME:
        return (change.before is None) != (change.after is None)
    return change.before != change.after
