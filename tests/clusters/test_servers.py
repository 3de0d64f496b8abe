"""Servers that are old, out of reach, or hold what geofence cannot read."""

from __future__ import annotations

import pytest

from geofence.errors import ClusterError, VerificationError
from geofence.model.notes import NoteKind
from geofence.operations.targets.plan import plan_cluster
from tests.clusters.fake import FakeApi
from tests.clusters.scene import Scene, policy


def test_a_server_that_cuts_port_ranges_gets_nothing(scene: Scene, api: FakeApi) -> None:
    api.cluster.version = (1, 20)
    with pytest.raises(VerificationError, match=r"endPort.*Nothing was changed.*doctor"):
        scene.apply()
    assert scene.in_cluster().is_empty
    assert scene.site.generations.numbers() == []
    api.cluster.version = (1, 25)
    scene.apply()
    api.cluster.version = (1, 24)
    scene.change('["JP"]', '["DE"]')
    with pytest.raises(VerificationError, match="endPort"):
        scene.apply()
    assert scene.who() == "JP"
    assert scene.reaches("133.1.2.3", 19_999)


def test_a_plan_without_the_cluster_is_against_the_last_generation(
    scene: Scene, api: FakeApi
) -> None:
    scene.apply()
    kubeconfig = scene.kubeconfig
    kubeconfig.write_text(kubeconfig.read_text().replace(api.url, "https://127.0.0.1:9"))
    report = plan_cluster(scene.place, offline=True)
    kinds = [note.kind for note in report.notes]
    assert NoteKind.TARGET_UNREAD in kinds
    assert NoteKind.TARGET_CHANGED not in kinds
    assert report.plan.is_empty
    scene.change('["JP"]', '["JP", "DE"]')
    report = plan_cluster(scene.place, offline=True)
    gained = {change.key.name: change.added.size for change in report.plan.set_changes}
    assert gained["allow4-sip"] == 1 << 22
    with pytest.raises(ClusterError, match="cannot be reached"):
        scene.apply()


def test_objects_that_cannot_be_read_any_more_are_told_and_repaired(scene: Scene) -> None:
    scene.apply()
    (held,) = scene.in_cluster().objects
    broken = policy(held.name, {**held.spec, "ingress": [{"from": [{"podSelector": {}}]}]})
    scene.make(broken, "somebody")
    assert scene.status().drift
    assert scene.plan().rules_differ
    scene.apply()
    assert scene.who() == "JP"
    assert scene.plan().is_empty


def test_an_unknown_field_in_the_spec_is_taken_out(scene: Scene) -> None:
    scene.apply()
    (held,) = scene.in_cluster().objects
    scene.make(policy(held.name, {"egress": [{}]}), "somebody")
    assert scene.status().drift
    scene.apply()
    assert scene.status().drift == ()
    assert "egress" not in scene.stored(policy(held.name, {}))["spec"]
