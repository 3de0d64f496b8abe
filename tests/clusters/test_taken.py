"""Two installations whose targets have one name in one cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from geofence.errors import GuardRefusal, TargetError
from geofence.operations.targets.plan import plan_cluster
from geofence.operations.targets.remove import remove_from_cluster
from geofence.targets.objects import INSTALLATION_ANNOTATION
from tests.clusters.scene import Scene


@pytest.fixture
def other(scene: Scene, tmp_path: Path) -> Scene:
    """Another installation with the same rules."""
    directory = tmp_path / "other"
    directory.mkdir()
    return Scene(directory, scene.kubeconfig, text=scene.text)


def test_the_fence_of_another_installation_is_not_overwritten(scene: Scene, other: Scene) -> None:
    scene.apply()
    other.change('countries = ["JP"]', 'countries = ["DE"]')
    with pytest.raises(GuardRefusal, match=r"is kept by the geofence installation on .*taken"):
        other.apply()
    assert [each.guard for each in plan_cluster(other.place, offline=True).refusals] == ["taken"]
    with pytest.raises(TargetError, match="Nothing was removed"):
        remove_from_cluster(other.place)
    assert scene.who() == "JP"
    assert scene.apply().plan.is_empty


@pytest.mark.parametrize("changed", [False, True])
def test_a_fence_that_was_taken_over_is_the_others(
    scene: Scene, other: Scene, changed: bool
) -> None:
    scene.apply()
    if changed:
        other.change('countries = ["JP"]', 'countries = ["DE"]')
    other.apply("taken")
    assert other.apply().plan.is_empty
    with pytest.raises(GuardRefusal, match="is kept by the geofence installation on"):
        scene.apply()
    remove_from_cluster(other.place)
    scene.apply()
    assert scene.who() == "JP"


def test_a_fence_from_before_there_were_keepers_is_claimed_by_the_next_run(
    scene: Scene, other: Scene
) -> None:
    scene.apply()
    for each in scene.in_cluster().objects:
        with scene.place.connected() as cluster:
            cluster.apply(each, scene.place.resource(each.kind))
    assert {each.number for each in scene.in_cluster().keepers.values()} == {""}
    assert scene.apply().plan.is_empty
    assert {each.number for each in scene.in_cluster().keepers.values()} == {
        scene.place.keeper.number
    }
    with pytest.raises(GuardRefusal, match="is kept by"):
        other.apply()


def test_who_keeps_a_fence_is_no_part_of_it(scene: Scene) -> None:
    scene.apply()
    assert not any(INSTALLATION_ANNOTATION in each.text for each in scene.in_cluster().objects)
