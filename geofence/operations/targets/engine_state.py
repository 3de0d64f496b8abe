"""Whether an engine does what it was told: some store a policy and do nothing, without a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from geofence.cluster.client import Cluster, Thing
from geofence.model.target import FIELD_MANAGER, Target, TargetKind
from geofence.targets.objects import MANAGED_BY, TARGET_LABEL, Resource, as_mapping, as_sequence

HOST_ENDPOINTS = Resource("projectcalico.org/v3", "HostEndpoint", "hostendpoints", namespaced=False)
CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")
_CILIUM = ("kube-system", "cilium-config")
_HOST_FIREWALL = "enable-host-firewall"


def unwatched_nodes(cluster: Cluster, target: Target, nodes: Iterable[str]) -> tuple[str, ...]:
    """Return the selected nodes on which a policy for nodes does nothing.

    Raises:
        ClusterError: the cluster does not say.
    """
    names = tuple(nodes)
    if target.kind is TargetKind.CALICO:
        watched = _with_host_endpoints(cluster, target)
        return tuple(name for name in names if name not in watched)
    if target.kind is TargetKind.CILIUM and _has_no_host_firewall(cluster):
        return names
    return ()


def refused_policies(
    cluster: Cluster, target: Target, resources: Iterable[Resource]
) -> tuple[str, ...]:
    """Return the objects of a target that the engine itself has called invalid, as Cilium does.

    Raises:
        ClusterError: the cluster does not say.
    """
    if target.kind is not TargetKind.CILIUM:
        return ()
    labels = {MANAGED_BY: FIELD_MANAGER, TARGET_LABEL: target.name}
    return tuple(
        f"{resource.kind}/{_field(each, 'metadata').get('name', '')}"
        for resource in resources
        if target.namespace or not resource.namespaced
        for each in cluster.list(resource, target.namespace if resource.namespaced else "", labels)
        if _is_refused(each)
    )


def _is_refused(thing: Thing) -> bool:
    conditions = map(as_mapping, as_sequence(_field(thing, "status").get("conditions")))
    return any((each.get("type"), each.get("status")) == ("Valid", "False") for each in conditions)


def _with_host_endpoints(cluster: Cluster, target: Target) -> set[str]:
    """Return the nodes that have an endpoint which the target's policy selects."""
    found = cluster.list(HOST_ENDPOINTS, "", dict(target.nodes))
    return {str(_field(each, "spec").get("node", "")) for each in found}


def _has_no_host_firewall(cluster: Cluster) -> bool:
    """Whether Cilium's configuration is where it usually is, and does not turn it on."""
    found = cluster.get(CONFIG_MAPS, *_CILIUM)
    return found is not None and str(_field(found, "data").get(_HOST_FIREWALL, "")) != "true"


def _field(thing: Thing, name: str) -> Mapping[str, Any]:
    found = thing.get(name)
    return found if isinstance(found, Mapping) else {}
