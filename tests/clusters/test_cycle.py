"""The whole cycle of a target; against the fake server, and the same against a real one."""

from __future__ import annotations

import pytest

from geofence.errors import GuardRefusal, UsageError
from geofence.model.address import Address
from geofence.model.notes import NoteKind
from geofence.operations.commit import Wish
from geofence.operations.lists import spaces, stored
from geofence.operations.targets.desired import desired
from geofence.operations.targets.remove import remove_from_cluster
from geofence.operations.targets.restore import restore_cluster, rollback_cluster
from geofence.operations.targets.why import why_in_cluster
from geofence.plan.drift import DriftKind
from tests.clusters.scene import Scene, blocks, policy


def test_apply_fences_the_pods_and_records_what_was_read_back(scene: Scene) -> None:
    assert scene.who() == "JDPS"
    report = scene.apply()
    assert (report.generation, report.degraded) == (1, False)
    assert scene.who() == "JP"
    assert scene.reaches("45.9.1.1", 443, "tcp")
    status = scene.status()
    assert (status.fenced, status.drift, status.generation) == (True, (), 1)
    assert scene.plan().is_empty


def test_an_equal_apply_writes_nothing_and_makes_no_generation(scene: Scene) -> None:
    scene.apply()
    before = {key: scene_version(scene, name) for key, _, name in _keys(scene)}
    assert scene.apply().generation == 1
    assert {key: scene_version(scene, name) for key, _, name in _keys(scene)} == before


def test_a_change_of_rules_is_planned_by_service_and_then_applied(scene: Scene) -> None:
    scene.apply()
    scene.change('["JP"]', '["JP", "DE"]')
    made = scene.plan()
    gained = {change.key.name: change.added.size for change in made.set_changes}
    assert gained["allow4-sip"] == gained["allow4-rtp"] == 1 << 22
    assert scene.who() == "JP"
    assert scene.status().rules_edited
    assert scene.apply().generation == 2
    assert scene.who() == "JDP"
    assert not scene.status().rules_edited


def test_rollback_and_restore_bring_generations_back(scene: Scene) -> None:
    scene.apply()
    scene.change('["JP"]', '["DE"]')
    scene.apply()
    assert scene.who() == "DP"
    rollback_cluster(scene.place, None, Wish("rollback"))
    assert scene.who() == "JP"
    remove_from_cluster(scene.place)
    assert scene.who() == "JDPS"
    report = restore_cluster(scene.place, Wish("restore"))
    assert (scene.who(), report.generation) == ("JP", 3)


def test_restore_without_a_generation_is_an_error(scene: Scene) -> None:
    with pytest.raises(UsageError, match="refresh --target k8s"):
        restore_cluster(scene.place, Wish("restore"))


def test_another_programs_change_is_drift_and_is_repaired(scene: Scene) -> None:
    scene.apply()
    (thing,) = scene.in_cluster().objects
    open_to_all = {**thing.spec, "ingress": [{}]}
    scene.make(policy(thing.name, open_to_all), "kubectl-edit")
    assert scene.who() == "JDPS"
    assert scene.status().drift
    found = why_in_cluster(scene.place, Address.parse("45.9.1.1"), ())
    assert NoteKind.TARGET_VERDICTS_DIFFER in [note.kind for note in found.notes]
    restore_cluster(scene.place, Wish("restore"))
    assert scene.who() == "JP"
    assert scene.status().drift == ()


def test_a_deleted_object_is_drift_and_comes_back(scene: Scene) -> None:
    scene.apply()
    (thing,) = scene.in_cluster().objects
    scene.delete(thing.content)
    status = scene.status()
    assert not status.fenced
    assert DriftKind.SET_MISSING in [each.kind for each in status.drift]
    assert restore_cluster(scene.place, Wish("restore")).generation == 1
    assert scene.who() == "JP"


def test_labels_and_annotations_of_others_are_no_drift_and_stay(scene: Scene) -> None:
    scene.apply()
    (thing,) = scene.in_cluster().objects
    metadata = {"name": thing.name, "namespace": thing.namespace, "labels": {"team": "voice"}}
    others = {"apiVersion": thing.api_version, "kind": thing.kind, "metadata": metadata}
    scene.make(others, "argocd")
    assert scene.status().drift == ()
    scene.change('["JP"]', '["DE"]')
    scene.apply()
    stored = scene.stored(thing.content)
    assert stored["metadata"]["labels"]["team"] == "voice"


def test_an_object_of_another_program_under_our_name_is_not_taken_over(scene: Scene) -> None:
    ingress = [{"from": blocks("1.0.0.0/8")}]
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": ingress}
    theirs = policy(_wanted_name(scene), spec)
    scene.make(theirs)
    with pytest.raises(GuardRefusal, match="--accept foreign"):
        scene.apply()
    assert remove_from_cluster(scene.place) == ()
    assert scene.stored(theirs)["spec"]["ingress"][0]["from"] == blocks("1.0.0.0/8")
    scene.apply("foreign")
    assert scene.who() == "JP"


def test_removing_deletes_ours_and_nothing_else(scene: Scene) -> None:
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}
    theirs = policy("theirs", spec, **{"geofence.io/target": "k8s"})
    scene.make(theirs)
    scene.apply("foreign")
    assert len(remove_from_cluster(scene.place)) == 1
    assert scene.in_cluster().objects == ()
    assert scene.stored(theirs)["spec"]["policyTypes"] == ["Egress"]
    assert remove_from_cluster(scene.place) == ()


def test_a_fence_that_would_block_everybody_is_refused(scene: Scene) -> None:
    scene.apply()
    scene.change('["JP"]', "[]")
    with pytest.raises(GuardRefusal, match="shut-out"):
        scene.apply()
    assert scene.who() == "JP"


def test_a_fence_that_would_allow_nearly_everybody_is_refused(scene: Scene) -> None:
    scene.apply()
    scene.change('["203.0.113.0/24"]', '["0.0.0.0/1"]')
    with pytest.raises(GuardRefusal, match="--accept open"):
        scene.apply()
    assert scene.who() == "JP"


def test_why_tells_the_verdict_of_the_cluster_and_of_the_rules(scene: Scene) -> None:
    scene.apply()
    scene.change('["JP"]', '["DE"]')
    found = why_in_cluster(scene.place, Address.parse("133.1.2.3"), ())
    assert {answer.passes for answer in found.now} == {answer.applied for answer in found.now}
    assert all(answer.passes for answer in found.now)
    assert all(each.blocks for each in found.explanations)
    assert (found.countries, found.notes) == (("JP",), ())


def scene_version(scene: Scene, name: str) -> str:
    """The resourceVersion of a policy."""
    return str(scene.stored(policy(name, {}))["metadata"]["resourceVersion"])


def _keys(scene: Scene) -> list[tuple[str, str, str]]:
    return [each.key for each in scene.in_cluster().objects]


def _wanted_name(scene: Scene) -> str:
    """The name of the object that an apply would make."""
    found = desired(scene.place, spaces(stored(scene.site, scene.place.policy)))
    return found.objects[0].name
