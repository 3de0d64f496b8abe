"""Facts about a fence that rules of an engine have no room for: names of services, and their ports.

They are an annotation of the object that has the rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from geofence.errors import RulesError, TargetError
from geofence.model.prefixes import AddressSpace
from geofence.model.target import Labels, Target
from geofence.targets.fence import ClusterFence, FenceGroup, ServicePorts
from geofence.targets.labelled_sets import SetRole, set_name
from geofence.targets.objects import (
    FENCE_ANNOTATION,
    TARGET_LABEL,
    ClusterObject,
    Json,
    as_mapping,
    as_sequence,
)
from geofence.targets.stored_services import stored_service
from geofence.translation import tr


class Side(StrEnum):
    """What is fenced: pods that have an address of their own, or nodes' own ports."""

    PODS = "pods"
    NODES = "nodes"

    def labels(self, target: Target) -> Labels:
        """Return the labels by which what is fenced is selected."""
        return target.pods if self is Side.PODS else target.nodes


Placed = tuple[int, FenceGroup]
"""A group, and its place in the fence."""


def sides(target: Target) -> tuple[Side, ...]:
    """Return what a target fences.

    Raises:
        RulesError: nothing, or pods in no namespace.
    """
    if target.pods and not target.namespace:
        raise RulesError(
            tr(
                'The target "{target}" has pods, but no namespace; write namespace = "…" under '
                "[target.{target}].",
                target=target.name,
            )
        )
    chosen = tuple(side for side in Side if side.labels(target))
    if not chosen:
        raise RulesError(
            tr(
                'The target "{target}" has neither pods nor nodes; write labels that select them '
                "under [target.{target}].",
                target=target.name,
            )
        )
    return chosen


def placed(fence: ClusterFence, *, observe: bool) -> tuple[Placed, ...]:
    """Return the groups that are enforced, or those that are only observed, with their places."""
    return tuple(each for each in enumerate(fence.groups) if each[1].observe is observe)


def facts_of(groups: Iterable[Placed]) -> dict[str, str]:
    """Return the annotation that tells the groups of an object's rules."""
    facts = [
        {
            "at": at,
            "services": [
                {"name": service.name, "ports": list(map(str, service.ports))}
                for service in group.services
            ],
        }
        for at, group in groups
    ]
    return {FENCE_ANNOTATION: json.dumps(facts, separators=(",", ":"))}


def read_groups(
    stored: ClusterObject, sets: Mapping[str, AddressSpace], target: Target, *, observe: bool
) -> tuple[Placed, ...]:
    """Return the groups of an object's rules, as its annotation tells them, with their sets.

    Raises:
        TargetError: the annotation is missing or damaged.
    """
    try:
        facts = json.loads(stored.annotations[FENCE_ANNOTATION])
        named = tuple((_whole(as_mapping(each)["at"]), _services(each)) for each in facts)
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise damaged(stored) from error
    return tuple(
        (at, _with_sets(FenceGroup(services, observe=observe), sets, target))
        for at, services in named
    )


def damaged(stored: ClusterObject) -> TargetError:
    """Return the error of an object that is not as geofence makes it."""
    return TargetError(
        tr(
            "{object} in the cluster is not as geofence makes it. "
            "Run 'geofence apply --target {target}' to replace it.",
            object=stored.key,
            target=stored.labels.get(TARGET_LABEL, "NAME"),
        )
    )


def common(of_sides: Iterable[Iterable[Placed]]) -> ClusterFence:
    """Return what all sides hold alike: what one of them lacks is not fenced."""
    first, *others = (list(each) for each in of_sides)
    shared = [each for each in first if all(each in other for other in others)]
    return ClusterFence(tuple(group for _, group in sorted(shared, key=lambda each: each[0])))


def of_target(objects: Iterable[ClusterObject], target: Target) -> Iterator[ClusterObject]:
    """Yield the objects of a target."""
    return (each for each in objects if each.labels.get(TARGET_LABEL) == target.name)


def _with_sets(group: FenceGroup, sets: Mapping[str, AddressSpace], target: Target) -> FenceGroup:
    excepted, banned, allowed = (
        sets.get(set_name(role, group, target), AddressSpace())
        for role in (SetRole.EXCEPT, SetRole.BAN, SetRole.ALLOW)
    )
    return FenceGroup(group.services, excepted, banned, allowed, group.observe)


def _services(fact: Json) -> tuple[ServicePorts, ...]:
    found = tuple(
        stored_service(each["name"], each["ports"])
        for each in map(as_mapping, as_sequence(as_mapping(fact)["services"]))
    )
    if not found:
        raise ValueError(fact)
    return found


def _whole(value: Json) -> int:
    if isinstance(value, int):
        return value
    raise TypeError(value)
