"""Checks of a cluster: what a target's objects do not fence, or only seem to. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from geofence.doctor.findings import Finding, FindingKind
from geofence.model.target import Target, TargetKind

END_PORT_SINCE = (1, 25)
"""The release from which no server drops ``endPort``: it is stable, and cannot be turned off."""
ENFORCERS: Mapping[TargetKind, tuple[str, ...]] = {
    TargetKind.NETWORKPOLICY: (
        "antrea",
        "aws-node",
        "calico",
        "canal",
        "cilium",
        "k3s",
        "kindnet",
        "kube-network-policies",
        "kube-router",
        "ovn-kubernetes",
        "weave-net",
    ),
    TargetKind.CALICO: ("calico", "canal"),
    TargetKind.CILIUM: ("cilium",),
}
"""Engines that enforce the objects of each kind of target."""


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod that a target selects."""

    name: str
    host_network: bool


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A Service that leads to fenced pods from outside the cluster."""

    name: str
    type: str
    hides_sources: bool
    """Whether ``externalTrafficPolicy`` is ``Cluster``."""


@dataclass(frozen=True, slots=True)
class ClusterEvidence:
    """All that checks of a cluster look at; None is what could not be read."""

    target: Target
    version: tuple[int, int] | None = None
    unserved: tuple[str, ...] = ()
    """Kinds of the target's objects that the server does not serve."""
    ranges: tuple[str, ...] = ()
    """Port ranges that are fenced, without single ports."""
    applied: bool | None = None
    """Whether anything of the target's is in the cluster."""
    differences: int = 0
    """From the generation in force."""
    pods: tuple[PodFacts, ...] | None = None
    """Those that the target selects."""
    nodes: tuple[str, ...] | None = None
    """Names of those that the target selects."""
    services: tuple[ServiceFacts, ...] | None = None
    engines: tuple[str, ...] | None = None
    """Names of engines for network policies that run in the cluster."""
    others: tuple[str, ...] | None = None
    """NetworkPolicies of others that select the same pods, for what comes in."""
    unwatched: tuple[str, ...] | None = None
    """Names of selected nodes at whose own ports the engine does not look."""
    refused: tuple[str, ...] | None = None
    """The target's objects that the engine itself has called invalid."""


def cluster_findings(evidence: ClusterEvidence) -> tuple[Finding, ...]:
    """Return all findings on a cluster."""
    return tuple(found for check in _CHECKS for found in check(evidence))


def _fence(evidence: ClusterEvidence) -> Iterator[Finding]:
    name = evidence.target.name
    if evidence.unserved:
        facts = {"kinds": list(evidence.unserved)}
        yield Finding(FindingKind.KIND_NOT_SERVED, name, facts)
    if evidence.applied is False:
        yield Finding(FindingKind.CLUSTER_WITHOUT_FENCE, name)
    elif evidence.differences:
        yield Finding(FindingKind.CLUSTER_DIFFERS, name, {"differences": evidence.differences})


def _enforced(evidence: ClusterEvidence) -> Iterator[Finding]:
    wanted = ENFORCERS[evidence.target.kind]
    if evidence.engines is None or set(wanted) & set(evidence.engines):
        return
    facts = {
        "kind": evidence.target.kind.value,
        "engines": list(evidence.engines),
        "wanted": list(wanted),
    }
    yield Finding(FindingKind.NOT_ENFORCED, evidence.target.name, facts)


def _end_ports(evidence: ClusterEvidence) -> Iterator[Finding]:
    if evidence.version is None or evidence.version >= END_PORT_SINCE or not evidence.ranges:
        return
    if evidence.target.kind is not TargetKind.NETWORKPOLICY:
        return
    facts = {
        "version": ".".join(map(str, evidence.version)),
        "since": ".".join(map(str, END_PORT_SINCE)),
        "ports": list(evidence.ranges),
    }
    yield Finding(FindingKind.END_PORT_DROPPED, evidence.target.name, facts)


def _selected(evidence: ClusterEvidence) -> Iterator[Finding]:
    target = evidence.target
    for what, labels, found in (
        ("pods", target.pods, evidence.pods),
        ("nodes", target.nodes, evidence.nodes),
    ):
        if labels and found == ():
            facts = {
                "what": what,
                "labels": [f"{key}={value}" for key, value in labels],
                "namespace": target.namespace if what == "pods" else "",
            }
            yield Finding(FindingKind.NOTHING_SELECTED, target.name, facts)


def _host_network(evidence: ClusterEvidence) -> Iterator[Finding]:
    names = [each.name for each in evidence.pods or () if each.host_network]
    if names and not evidence.target.nodes:
        yield Finding(FindingKind.HOST_NETWORK_PODS, evidence.target.name, {"pods": names})


def _sources(evidence: ClusterEvidence) -> Iterator[Finding]:
    for each in evidence.services or ():
        if each.hides_sources:
            facts = {"service": each.name, "type": each.type}
            yield Finding(FindingKind.SERVICE_HIDES_SOURCES, evidence.target.name, facts)


def _others(evidence: ClusterEvidence) -> Iterator[Finding]:
    if evidence.others:
        facts = {"policies": list(evidence.others)}
        yield Finding(FindingKind.OTHER_POLICIES, evidence.target.name, facts)


def _unwatched(evidence: ClusterEvidence) -> Iterator[Finding]:
    if evidence.unwatched:
        facts = {"nodes": list(evidence.unwatched), "kind": evidence.target.kind.value}
        yield Finding(FindingKind.NODES_NOT_WATCHED, evidence.target.name, facts)


def _refused(evidence: ClusterEvidence) -> Iterator[Finding]:
    if evidence.refused:
        facts = {"objects": list(evidence.refused)}
        yield Finding(FindingKind.POLICY_REFUSED, evidence.target.name, facts)


_CHECKS = (
    _fence,
    _enforced,
    _end_ports,
    _selected,
    _host_network,
    _sources,
    _others,
    _unwatched,
    _refused,
)
