"""How a kernel differs from what it should hold, in words."""

from __future__ import annotations

from collections.abc import Iterator

from geofence.model.plan import Plan, SetChange


def differences(plan: Plan) -> tuple[str, ...]:
    """What the plan would put right, one clause each; none if there is nothing."""
    return (
        *(_set_difference(change) for change in plan.set_changes),
        *_rule_differences(plan),
        *(f"left behind by a killed run: {name}" for name in plan.observed.debris),
    )


def _set_difference(change: SetChange) -> str:
    name = change.key.name
    if change.before is None:
        return f"the set {name} is missing"
    if change.after is None:
        return f"the set {name} should not be there"
    lacking, foreign = (part.prefix_count for part in (change.added, change.removed))
    return f"the set {name} lacks {lacking:,} prefixes and holds {foreign:,} that it should not"


def _rule_differences(plan: Plan) -> Iterator[str]:
    if not plan.rules_differ:
        return
    yield from (f"a rule is missing: {line}" for line in plan.rules_added)
    yield from (f"a rule should not be there: {line}" for line in plan.rules_removed)
    if not (plan.rules_added or plan.rules_removed):
        yield "the rules are in another order"
