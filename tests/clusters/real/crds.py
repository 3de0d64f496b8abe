"""CRDs of Cilium as a real API server takes them, made of the published schemas."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from geofence.cluster.client import Thing
from tests.clusters.scene import Scene
from tests.targets.cilium.published import RECORDED

_GROUP = "cilium.io"
PLURALS = {
    "CiliumCIDRGroup": "ciliumcidrgroups",
    "CiliumNetworkPolicy": "ciliumnetworkpolicies",
    "CiliumClusterwideNetworkPolicy": "ciliumclusterwidenetworkpolicies",
}
_INT_OR_STRING = "IoK8sApimachineryPkgUtilIntstrIntOrString"
_ANY = {"x-kubernetes-preserve-unknown-fields": True}


def install(scene: Scene, *versions: str) -> None:
    """Make it a cluster of Cilium's, with CIDR groups in some versions, stored in the first."""
    for made in _definitions(versions):
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{made['metadata']['name']}"
        scene.call("PATCH", path, made, fieldManager="cilium", force="true")
    until = time.monotonic() + 30
    while not all(_serves(scene, each) for each in versions):
        assert time.monotonic() < until
        time.sleep(0.2)


def _serves(scene: Scene, version: str) -> bool:
    (group,) = (
        [each for each in _all(scene) if each["name"] == _GROUP] or [{"versions": []}]  # not yet
    )
    if version not in [each["version"] for each in group["versions"]]:
        return False
    found = scene.call("GET", f"/apis/{_GROUP}/{version}")["resources"]
    return "ciliumcidrgroups" in [each["name"] for each in found]


def _all(scene: Scene) -> list[Thing]:
    return list(scene.call("GET", "/apis")["groups"])


def _definitions(versions: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    schemas = json.loads(RECORDED.read_text("utf-8"))
    for kind, plural in PLURALS.items():
        had = versions if kind == "CiliumCIDRGroup" else ("v2",)
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{_GROUP}"},
            "spec": {
                "group": _GROUP,
                "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                "scope": "Namespaced" if kind == "CiliumNetworkPolicy" else "Cluster",
                "versions": [
                    {
                        "name": each,
                        "served": True,
                        "storage": each == had[0],
                        "schema": {"openAPIV3Schema": _schema(schemas, f"{_GROUP}/{each}/{kind}")},
                    }
                    for each in had
                ],
            },
        }


def _schema(schemas: dict[str, Any], kind: str) -> dict[str, Any]:
    made = structural(schemas[kind], schemas["$defs"])
    return {**made, "properties": {**made["properties"], "metadata": {"type": "object"}}}


def structural(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A schema as CRDs have it: in one piece, each value with a type."""
    if schema.get("$ref", "").endswith(_INT_OR_STRING):
        return {"x-kubernetes-int-or-string": True}
    if "$ref" in schema:
        return structural(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    made: dict[str, Any] = {}
    for each in schema.get("allOf", ()):
        made |= structural(each, definitions)
    made |= {key: value for key, value in schema.items() if key != "allOf"}
    for key in ("items", "additionalProperties"):
        if key in schema:
            made[key] = structural(schema[key], definitions)
    for name, inner in schema.get("properties", {}).items():
        made["properties"] = {**made["properties"], name: structural(inner, definitions)}
    typed = made.keys() & {"type", "x-kubernetes-int-or-string"}
    empty = made.get("type") == "object" and len(made) == 1
    return {**made, **({} if typed and not empty else _ANY)}
