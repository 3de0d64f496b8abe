from __future__ import annotations

from dataclasses import replace

from geofence.merge import merge
from geofence.model.plan import Observed
from geofence.model.ruleset import Ruleset, SetKey
from geofence.plan import make_plan
from geofence.plan.drift import Difference, DriftKind, differences
from tests.support.values import JAPAN, country, policy, space

DESIRED = merge(policy(), JAPAN)
RULES = ("first rule", "second rule")
HELD = replace(Observed.holding(DESIRED), rules=RULES)


def test_a_kernel_that_holds_everything_needs_nothing() -> None:
    plan = make_plan(DESIRED, HELD, RULES)
    assert plan.is_empty
    assert differences(plan) == ()


def test_from_nothing_every_set_and_rule_is_new() -> None:
    plan = make_plan(DESIRED, Observed(), RULES)
    assert {change.key for change in plan.set_changes} == {*DESIRED.sets, *DESIRED.runtime_keys}
    assert {change.key for change in plan.content_changes} == set(DESIRED.sets)
    assert all(change.before is None for change in plan.set_changes)
    assert plan.rules_added == RULES
    assert plan.rules_removed == ()


def test_a_changed_list_changes_its_set_alone() -> None:
    later = merge(policy(), {country("JP"): space("192.0.2.0/24", "2001:db8:1::/48")})
    (change,) = make_plan(later, HELD, RULES).set_changes
    assert change.key.name == "allow4"
    assert change.removed == space("198.51.100.0/25").ipv4
    assert not change.added


def test_order_of_rules_counts() -> None:
    plan = make_plan(DESIRED, HELD, tuple(reversed(RULES)))
    assert plan.rules_differ
    assert differences(plan) == (Difference(DriftKind.RULE_ORDER),)


def test_remains_of_a_killed_run_make_a_plan() -> None:
    plan = make_plan(DESIRED, replace(HELD, debris=("allow4+",)), RULES)
    assert not plan.is_empty
    assert differences(plan) == (Difference(DriftKind.LEFTOVER, "allow4+"),)


def test_unwanted_sets_and_rules_are_removed() -> None:
    plan = make_plan(Ruleset(), HELD, ())
    assert all(change.after is None for change in plan.set_changes)
    assert plan.rules_removed == RULES


def test_names_of_sets_can_be_read_back() -> None:
    for key in DESIRED.sets:
        assert SetKey.parse(key.name) == key
    assert SetKey.parse("allow5") is None
    assert SetKey.parse("somebody-elses") is None
