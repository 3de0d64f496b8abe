"""Cilium's objects in a real API server, which gets another release of Cilium between two runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from geofence.cluster.client import Thing
from geofence.errors import ClusterError
from geofence.operations.commit import Wish
from geofence.operations.doctor import examine_cluster
from geofence.operations.targets.remove import remove_from_cluster
from geofence.operations.targets.restore import restore_cluster, rollback_cluster
from tests.clusters.conftest import KUBECONFIG
from tests.clusters.real.crds import install
from tests.clusters.scene import NAMESPACE, RULES, STRANGER, Scene

_GOLDEN = Path(__file__).parents[2] / "targets/cilium/golden"
_NODES = 'pods = ["app=asterisk"]\nnodes = ["geofence.io/fence=pbx-node"]'
_GROUPS = "/apis/cilium.io/{version}/ciliumcidrgroups"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """An installation with a target in a real cluster."""
    text = RULES.replace('"networkpolicy"', '"cilium"').replace('pods = ["app=asterisk"]', _NODES)
    return Scene(tmp_path, Path(os.environ[KUBECONFIG]), text=text)


def groups(scene: Scene, version: str) -> dict[str, Thing]:
    """Metadata of the CIDR groups of the cluster, by name."""
    found = scene.call("GET", _GROUPS.format(version=version))["items"]
    return {each["metadata"]["name"]: each["metadata"] for each in found}


def test_the_cycle_on_1_17_and_on_1_18_after_it(scene: Scene) -> None:
    install(scene, "v2alpha1")
    assert scene.apply().generation == 1
    assert scene.who() == "JP"
    assert (scene.status().drift, scene.plan().is_empty) == ((), True)
    made = groups(scene, "v2alpha1")
    install(scene, "v2", "v2alpha1")
    assert (scene.status().drift, scene.plan().is_empty) == ((), True)
    assert scene.apply().generation == 1
    same = groups(scene, "v2")
    assert {name: (each["uid"], each["resourceVersion"]) for name, each in same.items()} == {
        name: (each["uid"], each["resourceVersion"]) for name, each in made.items()
    }
    scene.change('["JP"]', '["DE"]')
    scene.apply()
    assert (scene.who(), scene.status().drift) == ("DP", ())
    changed = groups(scene, "v2")
    assert {name: each["uid"] for name, each in changed.items()} == {
        name: each["uid"] for name, each in made.items()
    }
    for each in changed.values():
        managers = [(one["manager"], one["operation"]) for one in each["managedFields"]]
        assert managers == [("geofence", "Apply")]
    opened = next(name for name in changed if "-allow-" in name and "v4" in name)
    widen(scene, opened)
    assert scene.reaches(STRANGER)
    assert scene.status().drift
    restore_cluster(scene.place, Wish("restore"))
    assert not scene.reaches(STRANGER)
    rollback_cluster(scene.place, 1, Wish("rollback"))
    assert (scene.who(), scene.status().drift) == ("JP", ())
    remove_from_cluster(scene.place)
    assert (scene.who(), groups(scene, "v2")) == ("JDPS", {})


def widen(scene: Scene, name: str) -> None:
    """Let everybody into a group, by the version that is deprecated."""
    thing = {
        "apiVersion": "cilium.io/v2alpha1",
        "kind": "CiliumCIDRGroup",
        "metadata": {"name": name},
        "spec": {"externalCIDRs": ["0.0.0.0/1", "128.0.0.0/1"]},
    }
    path = f"{_GROUPS.format(version='v2alpha1')}/{name}"
    scene.call("PATCH", path, thing, fieldManager="somebody", force="true")


def test_the_server_takes_golden_objects_as_they_are_and_no_unknown_field(scene: Scene) -> None:
    install(scene, "v2", "v2alpha1")
    for path in sorted(_GOLDEN.glob("*.json")):
        for one in json.loads(path.read_text("utf-8")):
            assert tried(scene, one)["spec"] == one["spec"]
            with pytest.raises(ClusterError, match="geofence"):
                tried(scene, {**one, "spec": {**one["spec"], "geofence": True}})


def tried(scene: Scene, one: dict[str, Any]) -> Thing:
    """What the server would store."""
    plurals = {
        "CiliumCIDRGroup": "ciliumcidrgroups",
        "CiliumNetworkPolicy": "ciliumnetworkpolicies",
    }
    plural = plurals.get(one["kind"], "ciliumclusterwidenetworkpolicies")
    metadata, where = dict(one["metadata"]), ""
    if "namespace" in metadata:
        metadata["namespace"], where = NAMESPACE, f"/namespaces/{NAMESPACE}"
    path = f"/apis/cilium.io/v2{where}/{plural}/{metadata['name']}"
    query = {"fieldManager": "geofence", "fieldValidation": "Strict", "dryRun": "All"}
    return scene.call("PATCH", path, {**one, "metadata": metadata}, **query)


def test_doctor_finds_the_kinds(scene: Scene) -> None:
    install(scene, "v2", "v2alpha1")
    scene.apply()
    kinds = [str(each.kind) for each in examine_cluster(scene.place).findings]
    remove_from_cluster(scene.place)
    assert "kind-not-served" not in kinds
