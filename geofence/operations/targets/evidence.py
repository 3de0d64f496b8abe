"""What ``doctor`` looks at in a cluster; what cannot be read is told, not taken for healthy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from geofence.cluster.client import Cluster, Thing
from geofence.doctor.cluster import ClusterEvidence, PodFacts, ServiceFacts
from geofence.doctor.findings import Subject, Unchecked, WhyUnchecked
from geofence.errors import ClusterError, GeofenceError
from geofence.model.target import Labels
from geofence.operations.targets.desired import as_recorded
from geofence.operations.targets.engine_state import refused_policies, unwatched_nodes
from geofence.operations.targets.engines import engines_in
from geofence.operations.targets.observe import is_ours, observe
from geofence.operations.targets.shown import shown_plan
from geofence.operations.targets.site import TargetSite
from geofence.plan.drift import differences
from geofence.targets.objects import TARGET_LABEL, Resource

PODS = Resource("v1", "Pod", "pods")
SERVICES = Resource("v1", "Service", "services")
NODES = Resource("v1", "Node", "nodes", namespaced=False)
POLICIES = Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
_REACHED_FROM_OUTSIDE = ("LoadBalancer", "NodePort")
T = TypeVar("T")


@dataclass
class _Reader:
    """Reads a cluster, and notes what could not be read."""

    place: TargetSite
    unchecked: list[Unchecked] = field(default_factory=list)

    def read(self, look: Callable[[], T]) -> T | None:
        """Return what a look finds; None, and a note, if the cluster does not say."""
        try:
            return look()
        except GeofenceError as error:
            told = Unchecked(Subject.CLUSTER, WhyUnchecked.PARTLY, str(error))
            if told not in self.unchecked:
                self.unchecked.append(told)
            return None


def cluster_evidence(place: TargetSite) -> tuple[ClusterEvidence, tuple[Unchecked, ...]]:
    """Return what is seen of a target's cluster, and what could not be looked at."""
    target, reader = place.target, _Reader(place)
    try:
        with place.connected() as cluster:
            version = tuple(cluster.version())
            return _evidence(place, cluster, reader, (version[0], version[1]))
    except ClusterError as error:
        unread = Unchecked(Subject.CLUSTER, WhyUnchecked.FAILED, str(error))
        return ClusterEvidence(target), (unread,)


def _evidence(
    place: TargetSite, cluster: Cluster, reader: _Reader, version: tuple[int, int]
) -> tuple[ClusterEvidence, tuple[Unchecked, ...]]:
    target = place.target
    unserved = reader.read(
        lambda: tuple(each.kind for each in place.engine.resources if not cluster.serves(each))
    )
    applied, differing = reader.read(lambda: _applied(place, cluster)) or (None, 0)
    pods = reader.read(lambda: _pods(place, cluster)) if target.pods else None
    nodes = reader.read(lambda: tuple(_selected_nodes(cluster, target.nodes)))
    evidence = ClusterEvidence(
        target,
        version,
        unserved or (),
        _ranges(place),
        applied,
        differing,
        None if pods is None else tuple(map(_pod, pods)),
        nodes if target.nodes else None,
        reader.read(lambda: tuple(_services(place, cluster, pods or ()))) if target.pods else None,
        reader.read(lambda: engines_in(cluster)),
        reader.read(lambda: tuple(_others(place, cluster, pods or ()))) if target.pods else None,
        reader.read(lambda: unwatched_nodes(cluster, target, nodes)) if nodes else None,
        reader.read(lambda: refused_policies(cluster, target, place.engine.resources)),
    )
    return evidence, tuple(reader.unchecked)


def _applied(place: TargetSite, cluster: Cluster) -> tuple[bool, int]:
    """Return whether the cluster has anything of the target's, and how much of it differs."""
    generation, _ = place.own.generations.newest()
    wanted = as_recorded(place, generation) if generation else None
    found = observe(place, cluster, wanted.objects if wanted else ())
    if wanted is None:
        return bool(found.objects), 0
    return bool(found.objects), len(differences(shown_plan(found, wanted.fence, wanted.objects)))


def _ranges(place: TargetSite) -> tuple[str, ...]:
    return tuple(
        str(ports)
        for service in place.policy.services
        if place.target.fences(service.name)
        for ports in service.ports
        if ports.first < ports.last
    )


def _pods(place: TargetSite, cluster: Cluster) -> tuple[Thing, ...]:
    return cluster.list(PODS, place.target.namespace, dict(place.target.pods))


def _pod(thing: Thing) -> PodFacts:
    return PodFacts(_name(thing), bool(_spec(thing).get("hostNetwork")))


def _selected_nodes(cluster: Cluster, labels: Labels) -> Iterator[str]:
    yield from (_name(each) for each in cluster.list(NODES, "", dict(labels))) if labels else ()


def _services(place: TargetSite, cluster: Cluster, pods: Iterable[Thing]) -> Iterator[ServiceFacts]:
    labels = _label_sets(place, pods)
    for each in cluster.list(SERVICES, place.target.namespace):
        spec = _spec(each)
        selector = spec.get("selector") or {}
        if spec.get("type") not in _REACHED_FROM_OUTSIDE or not selector:
            continue
        if any(selector.items() <= held.items() for held in labels):
            hides = spec.get("externalTrafficPolicy", "Cluster") != "Local"
            yield ServiceFacts(_name(each), str(spec["type"]), hides)


def _others(place: TargetSite, cluster: Cluster, pods: Iterable[Thing]) -> Iterator[str]:
    labels = _label_sets(place, pods)
    for each in cluster.list(POLICIES, place.target.namespace):
        spec = _spec(each)
        labelled = (each["metadata"].get("labels") or {}).get(TARGET_LABEL) == place.target.name
        mine = labelled and is_ours(each)
        if mine or "Ingress" not in (spec.get("policyTypes") or ["Ingress"]):
            continue
        selector = spec.get("podSelector") or {}
        wanted = selector.get("matchLabels") or {}
        if any(wanted.items() <= held.items() for held in labels):
            yield _name(each)


def _label_sets(place: TargetSite, pods: Iterable[Thing]) -> list[Mapping[str, Any]]:
    """Return the labels of each fenced pod; without any, those by which they are selected."""
    found = [each["metadata"].get("labels") or {} for each in pods]
    return found or [dict(place.target.pods)]


def _spec(thing: Thing) -> Mapping[str, Any]:
    found = thing.get("spec")
    return found if isinstance(found, Mapping) else {}


def _name(thing: Thing) -> str:
    return str((thing.get("metadata") or {}).get("name", ""))
