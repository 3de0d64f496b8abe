"""A fence that would be applied elsewhere, while the one of before stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from geofence.errors import GuardRefusal, TargetError
from geofence.operations.targets.plan import plan_cluster
from geofence.operations.targets.remove import remove_from_cluster
from tests.clusters.fake import FakeApi
from tests.clusters.scene import Scene


@pytest.mark.parametrize(
    ("before", "after"),
    [('namespace = "pbx"', 'namespace = "voip"'), ('kind = "networkpolicy"', 'kind = "calico"')],
)
def test_a_fence_that_would_move_is_refused_until_the_first_is_removed(
    scene: Scene, before: str, after: str
) -> None:
    scene.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "voip"}})
    scene.apply()
    scene.change(before, after)
    with pytest.raises(GuardRefusal, match=r"was applied to networkpolicy pbx https://.*moved"):
        scene.apply()
    assert [each.guard for each in plan_cluster(scene.place, offline=True).refusals] == ["moved"]
    with pytest.raises(TargetError, match="Nothing was removed"):
        remove_from_cluster(scene.place)
    scene.change(after, before)
    assert scene.who() == "JP"
    remove_from_cluster(scene.place)
    scene.change(before, after)
    scene.apply()
    assert scene.who() == "JP"


def test_a_fence_in_another_cluster_is_refused_until_accepted(scene: Scene, tmp_path: Path) -> None:
    scene.apply()
    with FakeApi() as other:
        scene.kubeconfig = other.kubeconfig(tmp_path)
        scene.rules(scene.text)
        scene.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "pbx"}})
        with pytest.raises(GuardRefusal, match="would now be applied to"):
            scene.apply()
        scene.apply("moved")
        assert scene.who() == "JP"
        assert scene.apply().plan.is_empty
