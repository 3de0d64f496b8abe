"""NetworkPolicies as a fence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from geofence.errors import TargetError
from geofence.model.prefixes import AddressSpace
from geofence.model.target import Target
from geofence.targets.fence import ClusterFence, FenceGroup, ServicePorts, unfenced_ports
from geofence.targets.networkpolicy.shape import (
    EVERY_SCTP,
    Part,
    Sources,
    port_fields,
)
from geofence.targets.objects import (
    FENCE_ANNOTATION,
    ROLE_LABEL,
    ClusterObject,
    Json,
    as_mapping,
    as_sequence,
)
from geofence.targets.prefixes import parse_prefix
from geofence.targets.stored_services import stored_service
from geofence.translation import tr

_Groups = tuple[FenceGroup, ...]


def read(objects: Sequence[ClusterObject], target: Target) -> ClusterFence:
    """Return the fence that objects hold.

    Raises:
        TargetError: they have not the shape that ``render`` gives them.
    """
    if not objects:
        return ClusterFence()
    if [each.labels.get(ROLE_LABEL) for each in objects].count(Part.BASE) != 1:
        raise _unlike(objects[0], tr("exactly one object must have the role base"))
    read_ones = [_groups(each, target) for each in objects]
    first = read_ones[0]
    for each, groups in zip(objects, read_ones, strict=True):
        if [_policy(group) for group in groups] != [_policy(group) for group in first]:
            raise _unlike(each, tr("its services or ports are not those of the other objects"))
    return ClusterFence(tuple(map(_joined, zip(*read_ones, strict=True))))


def _policy(group: FenceGroup) -> tuple[tuple[ServicePorts, ...], bool]:
    return group.services, group.observe


def _joined(parts: Sequence[FenceGroup]) -> FenceGroup:
    """Return a group with the sources of all its parts."""
    return FenceGroup(
        parts[0].services,
        excepted=AddressSpace.union(part.excepted for part in parts),
        allowed=AddressSpace.union(part.allowed for part in parts),
        observe=parts[0].observe,
    )


def _groups(found: ClusterObject, target: Target) -> _Groups:
    """Return the groups of one object, with the sources that it has of them."""
    _check_frame(found, target)
    rules = iter([as_mapping(rule) for rule in as_sequence(found.spec.get("ingress"))])
    described = list(_described(found))
    bare = [group for group, _ in described]
    if found.labels.get(ROLE_LABEL) == Part.BASE:
        ports = [*map(port_fields, unfenced_ports(ClusterFence(tuple(bare)))), EVERY_SCTP]
        if next(rules, {}) != {"ports": ports}:
            raise _unlike(found, tr("its first rule does not open exactly the unfenced ports"))
    groups = tuple(_with_sources(found, group, kinds, rules) for group, kinds in described)
    if next(rules, None) is not None:
        raise _unlike(found, tr("it has rules that geofence does not make"))
    return groups


def _check_frame(found: ClusterObject, target: Target) -> None:
    spec = found.spec
    if spec.get("podSelector") != {"matchLabels": dict(target.pods)}:
        raise _unlike(found, tr("it selects other pods"))
    if spec.get("policyTypes") != ["Ingress"] or spec.get("egress"):
        raise _unlike(found, tr("it is for more than incoming packets"))


def _described(found: ClusterObject) -> Iterator[tuple[FenceGroup, list[Sources]]]:
    """Yield the groups by the annotation, without sources, and which rules there are of each."""
    try:
        for each in json.loads(found.annotations[FENCE_ANNOTATION]):
            services = tuple(
                stored_service(name, ports) for name, ports in each["services"].items()
            )
            observe = each["observe"] is True
            yield FenceGroup(services, observe=observe), [*map(Sources, each["rules"])]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        reason = tr("its annotation {annotation} is damaged", annotation=FENCE_ANNOTATION)
        raise _unlike(found, reason) from error


def _with_sources(
    found: ClusterObject,
    group: FenceGroup,
    kinds: Sequence[Sources],
    rules: Iterator[Mapping[str, Json]],
) -> FenceGroup:
    """Return a group with the sources of its rules, which come next."""
    spaces = {kind: AddressSpace() for kind in Sources}
    for kind in kinds:
        rule = next(rules, {})
        if rule.keys() != {"ports", "from"} or rule["ports"] != [*map(port_fields, group.ports)]:
            raise _unlike(found, tr("the rules of {services} are not there", services=group.name))
        spaces[kind] |= AddressSpace.of(
            parse_prefix(_cidr(found, peer)) for peer in as_sequence(rule["from"])
        )
        if not spaces[kind]:
            raise _unlike(found, tr("a rule without sources allows everybody"))
    return FenceGroup(
        group.services,
        excepted=spaces[Sources.EXCEPT],
        allowed=spaces[Sources.ALLOW],
        observe=group.observe,
    )


def _cidr(found: ClusterObject, peer: Json) -> str:
    block = as_mapping(as_mapping(peer).get("ipBlock"))
    cidr = block.get("cidr")
    if peer != {"ipBlock": {"cidr": cidr}} or not isinstance(cidr, str):
        raise _unlike(found, tr("a source is not one plain prefix"))
    return cidr


def _unlike(found: ClusterObject, reason: str) -> TargetError:
    return TargetError(
        tr(
            "{object} is not as geofence makes it: {reason}. The next apply writes it anew.",
            object=found.key,
            reason=reason,
        )
    )
