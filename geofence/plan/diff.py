"""The difference between a desired ruleset and an observed kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from geofence.model.plan import Observed, Plan, SetChange
from geofence.model.prefixes import PrefixSet
from geofence.model.ruleset import Ruleset


def make_plan(desired: Ruleset, observed: Observed, rules_wanted: Sequence[str]) -> Plan:
    """Return what to do so that the kernel holds ``desired``.

    Args:
        desired: what the kernel should hold.
        observed: what it holds.
        rules_wanted: the desired rules in the backend's own language.
    """
    differing = sorted(
        (*_declared(desired, observed), *_runtime(desired, observed)),
        key=lambda change: change.key.name,
    )
    return Plan(desired, observed, tuple(differing), rules_wanted)


def _declared(desired: Ruleset, observed: Observed) -> Iterator[SetChange]:
    for key in desired.sets.keys() | observed.sets.keys():
        change = SetChange(key, observed.sets.get(key), desired.sets.get(key))
        if change.before != change.after:
            yield change


def _runtime(desired: Ruleset, observed: Observed) -> Iterator[SetChange]:
    """Yield runtime sets that are missing or should go; what they hold is no difference."""
    wanted = set(desired.runtime_keys)
    for key in wanted ^ observed.runtime.keys():
        after = PrefixSet(key.family) if key in wanted else None
        yield SetChange(key, observed.runtime.get(key), after)
