"""Between any two requests, a NetworkPolicy's fence is the old one or the new one."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from geofence.errors import TargetError
from geofence.model.policy import Ports
from geofence.targets.fence import ClusterFence, cluster_fence
from geofence.targets.networkpolicy import new_engine
from geofence.targets.networkpolicy import ranges as ranges_module
from geofence.targets.objects import ROLE_LABEL, ClusterObject, Verb
from tests.targets import (
    FENCE,
    TARGET,
    after_each,
    check_between,
    edges,
    packets,
    ports_around,
    random_rulesets,
    seeded,
)

ENGINE = new_engine()
Objects = tuple[ClusterObject, ...]


def sets_most(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(ranges_module, "MOST_IN_ONE", most)
    monkeypatch.setattr(ranges_module, "MOST_IN_RANGE", most // 2)


def check_steps(dice: Random, before: Objects, after: Objects, *fences: ClusterFence) -> int:
    """Check each state on the way, by packets at all edges; return how many there were."""
    spaces = [each for one in fences for group in one.groups for each in (group.open,)]
    ranges: list[Ports] = [each for one in fences for group in one.groups for each in group.ports]
    asked = list(packets(dice, edges(spaces), ports_around(ranges), 100))
    old, new = ENGINE.judge(before, TARGET), ENGINE.judge(after, TARGET)
    requests = ENGINE.order(before, after)
    for held in after_each(before, requests):
        check_between(old, new, ENGINE.judge(held, TARGET), asked)
    last = tuple(after_each(before, requests))[-1:] or (before,)
    assert {each.key: each for each in last[0]} == {each.key: each for each in after}
    touched = [request.object.key for request in requests if request.verb is Verb.DELETE]
    assert not {each.key for each in after} & set(touched)
    return len(requests)


@pytest.mark.parametrize("sizes", [(1_300_000, 1_300_000), (8_000, 8_000), (1_300_000, 8_000)])
def test_at_no_moment_is_anything_open_or_shut_that_should_not_be(
    monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, int]
) -> None:
    dice = seeded(sum(sizes))
    fences = [cluster_fence(each, TARGET) for each in random_rulesets(sum(sizes), 5, 800)]
    longest = 0
    for one, other in pairwise(fences):
        sides = []
        for fence, most in zip((one, other), sizes, strict=True):
            sets_most(monkeypatch, most)
            sides.append(ENGINE.objects(fence, TARGET))
        for before, after in (sides, sides[::-1], (sides[0], ()), ((), sides[1])):
            longest = max(longest, check_steps(dice, tuple(before), tuple(after), one, other))
    assert (longest > 3) == (min(sizes) < 10_000)


def test_a_killed_run_is_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    sets_most(monkeypatch, 8_000)
    dice = seeded(1)
    one, other = (cluster_fence(each, TARGET) for each in random_rulesets(11, 2))
    before, after = ENGINE.objects(one, TARGET), ENGINE.objects(other, TARGET)
    for held in after_each(before, ENGINE.order(before, after)):
        check_steps(dice, held, after, one, other)
        check_steps(dice, held, before, one, other)
        check_steps(dice, held, (), one, other)


def test_one_object_takes_one_request() -> None:
    (found,) = ENGINE.objects(FENCE, TARGET)
    other = ENGINE.objects(ClusterFence(FENCE.groups[:1]), TARGET)
    assert [each.verb for each in ENGINE.order((), (found,))] == [Verb.APPLY]
    assert [each.verb for each in ENGINE.order((found,), other)] == [Verb.APPLY]
    assert [each.verb for each in ENGINE.order((found,), ())] == [Verb.DELETE]
    assert ENGINE.order((found,), (found,)) == ()


def test_ranges_without_their_base_are_led_on(monkeypatch: pytest.MonkeyPatch) -> None:
    sets_most(monkeypatch, 8_000)
    dice = seeded(2)
    (fence,) = (cluster_fence(each, TARGET) for each in random_rulesets(11, 1))
    objects = ENGINE.objects(fence, TARGET)
    ranges = tuple(each for each in objects if each.labels[ROLE_LABEL] == "range")
    assert len(ranges) > 1
    assert check_steps(dice, ranges, objects, fence) == 1
    check_steps(dice, ranges, (), fence)


def test_several_objects_are_not_led_to_other_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    sets_most(monkeypatch, 100)
    objects = ENGINE.objects(FENCE, TARGET)
    moved = ENGINE.objects(FENCE, replace(TARGET, pods=(("app", "kamailio"),)))
    with pytest.raises(TargetError, match="move to other pods"):
        ENGINE.order(objects, moved)


def test_a_fence_that_moves_to_another_namespace_is_made_there_first() -> None:
    before = ENGINE.objects(FENCE, TARGET)
    after = ENGINE.objects(FENCE, replace(TARGET, namespace="voice"))
    requests = ENGINE.order(before, after)
    assert [(each.verb, each.object.namespace) for each in requests] == [
        (Verb.APPLY, "voice"),
        (Verb.DELETE, "pbx"),
    ]


def test_a_base_whose_label_is_lost_is_still_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = seeded(4)
    (fence,) = (cluster_fence(each, TARGET) for each in random_rulesets(11, 1))
    sets_most(monkeypatch, 1_300_000)
    (whole,) = ENGINE.objects(fence, TARGET)
    sets_most(monkeypatch, 8_000)
    content = json.loads(whole.text)
    del content["metadata"]["labels"][ROLE_LABEL]
    lost = (ClusterObject.of(content),)
    check_steps(dice, lost, ENGINE.objects(fence, TARGET), fence)
    check_steps(dice, lost, (), fence)
