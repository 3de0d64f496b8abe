"""Drift: the differences of the kernel from what it should hold."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from geofence.model.frozen import dataclass
from geofence.model.plan import Observed, Plan, SetChange


class DriftKind(StrEnum):
    """A kind of difference."""

    SET_MISSING = "set-missing"
    SET_EXTRA = "set-extra"
    SET_CONTENT = "set-content"
    RULE_MISSING = "rule-missing"
    RULE_EXTRA = "rule-extra"
    RULE_ORDER = "rule-order"
    """The rules are the right ones, in another order."""
    LEFTOVER = "leftover"
    """An object that a killed run left."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference of the kernel from what it should hold."""

    kind: DriftKind
    subject: str = ""
    """A set's name, a rule as the backend prints it, or a leftover object."""
    missing: int = 0
    """Prefixes that a set lacks."""
    extra: int = 0
    """Prefixes that a set should not hold."""


def differences(plan: Plan) -> tuple[Difference, ...]:
    """Return what the plan would repair."""
    return (
        *map(_of_set, plan.set_changes),
        *_of_rules(plan),
        *leftovers(plan.observed),
    )


def leftovers(observed: Observed) -> tuple[Difference, ...]:
    """Return what killed runs left."""
    return tuple(Difference(DriftKind.LEFTOVER, name) for name in observed.debris)


def _of_set(change: SetChange) -> Difference:
    missing, extra = (part.prefix_count for part in (change.added, change.removed))
    kind = DriftKind.SET_CONTENT
    if change.before is None:
        kind = DriftKind.SET_MISSING
    elif change.after is None:
        kind = DriftKind.SET_EXTRA
    return Difference(kind, change.key.name, missing, extra)


def _of_rules(plan: Plan) -> Iterator[Difference]:
    if not plan.rules_differ:
        return
    yield from (Difference(DriftKind.RULE_MISSING, line) for line in plan.rules_added)
    yield from (Difference(DriftKind.RULE_EXTRA, line) for line in plan.rules_removed)
    if not (plan.rules_added or plan.rules_removed):
        yield Difference(DriftKind.RULE_ORDER)
