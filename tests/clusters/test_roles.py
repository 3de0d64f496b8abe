"""What a role must allow: as little as its own objects, and what is missing is told."""

from __future__ import annotations

import pytest

from geofence.errors import ClusterError
from geofence.model.notes import NoteKind
from geofence.operations.targets.remove import remove_from_cluster
from tests.clusters.fake import FakeApi
from tests.clusters.fake.cluster import Grant
from tests.clusters.killing import SMALL_RANGES, chunked
from tests.clusters.scene import Scene

OWN = ["geofence-k8s"]
KIND = ["networkpolicies"]


def test_get_and_patch_of_its_own_object_are_enough_for_the_daily_refresh(
    scene: Scene, api: FakeApi
) -> None:
    scene.apply()
    api.cluster.grants = [Grant(["get", "patch"], KIND, OWN)]
    scene.change('["JP"]', '["DE"]')
    report = scene.apply()
    assert [note.kind for note in report.notes if note.kind is NoteKind.TARGET_UNLISTED]
    assert scene.status().drift == ()
    api.cluster.grants = None
    assert scene.who() == "DP"


def test_the_first_apply_needs_create_and_changes_nothing_without(
    scene: Scene, api: FakeApi
) -> None:
    api.cluster.grants = [Grant(["get", "list", "patch"], KIND)]
    with pytest.raises(ClusterError, match=r"cannot create.*is unchanged"):
        scene.apply()
    assert scene.site.generations.numbers() == []
    api.cluster.grants = [Grant(["get", "list", "patch", "create"], KIND)]
    scene.apply()


def test_without_delete_the_fence_stays(scene: Scene, api: FakeApi) -> None:
    scene.apply()
    api.cluster.grants = [Grant(["get", "list", "patch", "create"], KIND)]
    with pytest.raises(ClusterError, match="cannot delete"):
        remove_from_cluster(scene.place)
    assert scene.who() == "JP"


def test_nothing_is_written_that_is_not_its_own(scene: Scene, api: FakeApi) -> None:
    scene.apply()
    remove_from_cluster(scene.place)
    paths = {each.path for each in api.writes[1:]}
    assert paths == {f"/apis/networking.k8s.io/v1/namespaces/pbx/networkpolicies/{OWN[0]}"}


def test_objects_that_are_wanted_no_more_go_though_they_may_not_be_listed(
    scene: Scene, api: FakeApi
) -> None:
    with chunked(SMALL_RANGES):
        scene.change('["JP"]', '["JP", "DE"]')
        scene.apply()
        assert scene.who() == "JDP"
        api.cluster.grants = [Grant(["get", "create", "patch", "delete"], KIND)]
        scene.change('["JP", "DE"]', '["DE"]')
        assert not scene.plan().is_empty
        scene.apply()
        api.cluster.grants = None
        assert scene.who() == "DP"
        assert scene.plan().is_empty
