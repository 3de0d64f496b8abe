"""Objects decide as ``geofence.verdict`` does: on every edge of the sets, and random packets."""

from __future__ import annotations

import random

import pytest

from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.model.ruleset import Action
from geofence.model.target import Target, TargetKind
from geofence.targets.fence import cluster_fence
from geofence.verdict import decide
from tests.support.values import space
from tests.targets.agreement import (
    TARGETS,
    asked_of,
    disagreements,
    judge_of,
    rules,
    ruleset_of,
)
from tests.targets.labelled import sides_of


def made_list(number: int) -> AddressSpace:
    """Prefixes scattered as a country's are."""
    chance = random.Random(4)  # noqa: S311 - no secret
    found = [Prefix(Family.IPV4, chance.getrandbits(14) << 18, 18) for _ in range(number)]
    found += [
        Prefix(Family.IPV6, (0x2400 << 112) | chance.getrandbits(16) << 96, 32)
        for _ in range(number // 4)
    ]
    return AddressSpace.of(found) | space("1.0.16.0/20", "1.0.32.0/19", "203.0.113.0/24")


RULESET = ruleset_of(rules("JP"), {"JP": made_list(120)})


@pytest.mark.parametrize("target", TARGETS)
def test_objects_decide_as_the_verdict_does(target: Target) -> None:
    assert list(disagreements(RULESET, target, asked_of(RULESET, 3_000))) == []


def test_a_difference_would_be_found() -> None:
    """The objects of other rules."""
    target = sides_of(TargetKind.CALICO)[0]
    others = judge_of(
        cluster_fence(ruleset_of(rules("JP"), {"JP": made_list(119)}), target), target
    )
    assert [
        packet
        for packet in asked_of(RULESET, 10)
        if others(packet) is not (decide(RULESET, packet).action is Action.PASS)
    ]
