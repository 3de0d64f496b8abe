"""A fence as NetworkPolicies."""

from __future__ import annotations

from collections.abc import Iterator

from geofence.errors import RulesError
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.target import Target
from geofence.targets.fence import ClusterFence, FenceGroup, unfenced_ports
from geofence.targets.networkpolicy.ranges import ranges
from geofence.targets.networkpolicy.shape import (
    EVERY_SCTP,
    NETWORK_POLICY,
    Part,
    Sources,
    Within,
    facts,
    port_fields,
)
from geofence.targets.objects import FENCE_ANNOTATION, ClusterObject, Json, Marks, new_object
from geofence.translation import tr


def render(fence: ClusterFence, target: Target) -> tuple[ClusterObject, ...]:
    """Return the objects of a fence, the base first; none if nothing is fenced.

    Raises:
        RulesError: the target has no namespace, no labels of pods, or labels of nodes.
    """
    _check(target)
    if not fence.groups:
        return ()
    parts = ranges(fence)
    if not parts:
        return (_object(fence, target, Part.BASE, Within()),)
    alone = _object(fence, target, Part.BASE, None)
    return (alone, *(_object(fence, target, Part.RANGE, each) for each in parts))


def _check(target: Target) -> None:
    if not target.namespace or not target.pods:
        raise RulesError(
            tr(
                "A NetworkPolicy needs the namespace of the pods and their labels; the target "
                "{target} lacks one of them. An empty selector would take all pods.",
                target=target.name,
            )
        )
    if target.nodes:
        raise RulesError(
            tr(
                "A NetworkPolicy cannot fence nodes, as the target {target} asks. Run geofence on "
                "the nodes, or use Calico or Cilium.",
                target=target.name,
            )
        )


def _object(
    fence: ClusterFence, target: Target, part: Part, within: Within | None
) -> ClusterObject:
    """Return one object; without a range, one without sources."""
    pairs = [_rules(group, within) for group in fence.groups]
    open_to_all: list[Json] = [_others(fence)] if part is Part.BASE else []
    spec: dict[str, Json] = {
        "podSelector": {"matchLabels": dict(target.pods)},
        "policyTypes": ["Ingress"],
        "ingress": [*open_to_all, *(rule for rules in pairs for rule in rules.values())],
    }
    noted = facts(fence.groups, tuple(tuple(rules) for rules in pairs))
    marks = Marks(part.value, annotations={FENCE_ANNOTATION: noted})
    name = (within or Within()).name(target)
    return new_object(NETWORK_POLICY, target, name, spec, marks)


def _others(fence: ClusterFence) -> dict[str, Json]:
    """Return the rule for all ports that are not fenced: everybody may reach them.

    It always has ports, those of SCTP at least: a rule without any would be for all.
    """
    return {"ports": [*map(port_fields, unfenced_ports(fence)), EVERY_SCTP]}


def _rules(group: FenceGroup, within: Within | None) -> dict[Sources, Json]:
    """Return the rules with sources of a group.

    A rule without sources would allow everybody, and one without ports every port. So there is no
    rule where either is empty.
    """
    if within is None or group.observe or not group.ports:
        return {}
    ports = list(map(port_fields, group.ports))
    cut = ((kind, within.cut(kind.of(group))) for kind in Sources)
    return {kind: {"ports": ports, "from": list(_peers(space))} for kind, space in cut if space}


def _peers(space: AddressSpace) -> Iterator[Json]:
    for family in Family:
        for prefix in space[family].prefixes():
            yield {"ipBlock": {"cidr": str(prefix)}}
