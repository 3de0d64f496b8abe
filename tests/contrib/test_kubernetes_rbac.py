"""The role of the refresh: enough for all that it does, by a server that asks it each time."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from geofence.errors import ClusterError
from geofence.operations.targets.remove import remove_from_cluster
from tests.clusters.fake import FakeApi
from tests.clusters.fake.cluster import Grant
from tests.clusters.scene import Scene, policy
from tests.node.helm import HERE


def grants(target: str) -> list[Grant]:
    """The rules of the role, for a target of another name."""
    documents = yaml.safe_load_all((HERE / "refresh/rbac.yaml").read_text("utf-8"))
    (role,) = (each for each in documents if each["kind"] == "Role")
    return [
        Grant(
            each["verbs"],
            each["resources"],
            [name.replace("pbx", target) for name in each.get("resourceNames", ())],
        )
        for each in role["rules"]
    ]


def test_it_applies_changes_and_removes_the_fence_with_that_role(tmp_path: Path) -> None:
    with FakeApi() as api:
        scene = Scene(tmp_path, api.kubeconfig(tmp_path))
        api.cluster.grants = grants("k8s")
        scene.apply()
        assert scene.who() == "JP"
        scene.change('["JP"]', '["DE"]')
        scene.apply()
        assert scene.who() == "DP"
        assert scene.status().drift == ()
        remove_from_cluster(scene.place)
        assert scene.who() == "JDPS"


def test_it_may_write_no_other_policy(tmp_path: Path) -> None:
    with FakeApi() as api:
        scene = Scene(tmp_path, api.kubeconfig(tmp_path))
        api.cluster.grants = grants("k8s")
        other = policy("default-deny", {"podSelector": {}})
        with pytest.raises(ClusterError, match="default-deny"):
            scene.make(other)
        with pytest.raises(ClusterError, match="default-deny"):
            scene.stored(other)
