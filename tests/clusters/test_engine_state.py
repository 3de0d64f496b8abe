"""What an engine does not do, and does not say, is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geofence.doctor.findings import FindingKind
from geofence.operations.doctor import doctor_of_cluster
from geofence.sentences.doctor import finding_texts, page
from tests.clusters.fake import FakeApi
from tests.clusters.scene import RULES, Scene
from tests.project.documents import TOP
from tests.project.test_readme import anchors

LABELS = {"geofence.io/fence": "pbx-node"}
NODE_POLICY = "CiliumClusterwideNetworkPolicy/geofence-k8s-nodes"
NODES = 'nodes = ["geofence.io/fence=pbx-node"]'


def scene_of(kind: str, directory: Path, api: FakeApi) -> Scene:
    """A target of nodes alone, and two nodes."""
    text = RULES.replace('"networkpolicy"', f'"{kind}"').replace('pods = ["app=asterisk"]', NODES)
    scene = Scene(directory, api.kubeconfig(directory), text=text.replace('namespace = "pbx"', ""))
    for name in ("one", "two"):
        api.cluster.put(thing("v1", "Node", name, LABELS, spec={}))
    scene.apply()
    return scene


def thing(
    version: str,
    kind: str,
    name: str,
    labels: dict[str, str],
    **content: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    namespace = {"namespace": "kube-system"} if kind == "ConfigMap" else {}
    metadata = {"name": name, "labels": labels, **namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def told(scene: Scene, kind: FindingKind, name: str) -> list[str]:
    """What a finding of doctor lists; its sentences and its section of the document are there."""
    for found in doctor_of_cluster(scene.site, "k8s").findings:
        if found.kind is kind:
            texts = finding_texts(found)
            assert "{" not in f"{texts.finding} {texts.evidence} {texts.remedy}"
            section = page(found.kind).partition("#")[2]
            assert section in anchors(TOP / "docs/troubleshooting.md")
            return [str(each) for each in found.data[name]]  # type: ignore[attr-defined]
    return []


def open_nodes(scene: Scene) -> list[str]:
    return told(scene, FindingKind.NODES_NOT_WATCHED, "nodes")


def test_a_node_without_a_host_endpoint_of_its_labels_is_found(
    tmp_path: Path, api: FakeApi
) -> None:
    scene = scene_of("calico", tmp_path, api)
    assert open_nodes(scene) == ["one", "two"]
    for name, labels in (("one", LABELS), ("two", {"other": "label"})):
        spec = {"node": name, "interfaceName": "*"}
        api.cluster.put(thing("projectcalico.org/v3", "HostEndpoint", name, labels, spec=spec))
    assert open_nodes(scene) == ["two"]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [({}, ["one", "two"]), ({"enable-host-firewall": "true"}, []), (None, [])],
)
def test_nodes_without_the_host_firewall_of_cilium_are_found(
    tmp_path: Path, api: FakeApi, setting: dict[str, str] | None, expected: list[str]
) -> None:
    scene = scene_of("cilium", tmp_path, api)
    if setting is not None:
        api.cluster.put(thing("v1", "ConfigMap", "cilium-config", {}, data=setting))
    assert open_nodes(scene) == expected


@pytest.mark.parametrize(("status", "expected"), [("True", []), ("False", [NODE_POLICY])])
def test_a_policy_that_cilium_calls_invalid_is_found(
    tmp_path: Path, api: FakeApi, status: str, expected: list[str]
) -> None:
    scene = scene_of("cilium", tmp_path, api)
    (stored,) = (
        each for each in scene.in_cluster().objects if each.kind == NODE_POLICY.partition("/")[0]
    )
    conditions = [{"type": "Valid", "status": status}]
    api.cluster.put({**stored.content, "status": {"conditions": conditions}})
    assert told(scene, FindingKind.POLICY_REFUSED, "objects") == expected
