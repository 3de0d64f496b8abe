"""Which engines for network policies run in a cluster, by their DaemonSets and nodes.

The API does not say: a server stores a policy whether anything enforces it or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from geofence.cluster.client import Cluster, Thing
from geofence.targets.objects import Resource

DAEMON_SETS = Resource("apps/v1", "DaemonSet", "daemonsets")
NODES = Resource("v1", "Node", "nodes", namespaced=False)
_BY_NAME = {
    "antrea-agent": "antrea",
    "anetd": "cilium",
    "calico-node": "calico",
    "canal": "canal",
    "cilium": "cilium",
    "kindnet": "kindnet",
    "kube-network-policies": "kube-network-policies",
    "kube-router": "kube-router",
    "ovnkube-node": "ovn-kubernetes",
    "weave-net": "weave-net",
}
"""Engines by the names of their DaemonSets; distributions may put something before and after."""
_AWS = "aws-node"
_AWS_ENFORCES = "--enable-network-policy=true"
"""Without this argument, Amazon's plug-in enforces nothing."""
_K3S = "+k3s"
"""In the version of a kubelet whose process has kube-router in it."""


def engines_in(cluster: Cluster) -> tuple[str, ...]:
    """Return the names of the engines that are found.

    Raises:
        ClusterError: DaemonSets or nodes cannot be listed.
    """
    found = [name for each in cluster.list(DAEMON_SETS) for name in _engines(each)]
    versions = (_kubelet(each) for each in cluster.list(NODES))
    if any(_K3S in version for version in versions):
        found.append("k3s")
    return tuple(sorted(set(found)))


def _engines(thing: Thing) -> Iterator[str]:
    name = str((thing.get("metadata") or {}).get("name", ""))
    if name == _AWS and _AWS_ENFORCES in _arguments(thing):
        yield _AWS
    for known, engine in _BY_NAME.items():
        if known == name or name.startswith(f"{known}-") or name.endswith(f"-{known}"):
            yield engine


def _arguments(thing: Thing) -> list[str]:
    template: Any = (thing.get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or ()
    return [
        str(argument)
        for each in containers
        for argument in (*(each.get("command") or ()), *(each.get("args") or ()))
    ]


def _kubelet(node: Thing) -> str:
    info: Any = ((node.get("status") or {}).get("nodeInfo")) or {}
    return str(info.get("kubeletVersion", ""))
