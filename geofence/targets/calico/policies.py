"""Calico's objects for a fence.

Within its tier, each service has the rules of the packet's path: pass exceptions, deny bans, pass
the allow set, deny the rest of its ports. Whatever passes goes on to the tiers of others, as if
there were no fence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from geofence.model.policy import Ports, Protocol
from geofence.model.target import FIELD_MANAGER, Target
from geofence.targets.fence import ClusterFence, FenceGroup
from geofence.targets.fence_facts import Placed, Side, facts_of, placed, sides
from geofence.targets.labelled_sets import (
    SetRole,
    SetShape,
    group_set_objects,
    set_name,
)
from geofence.targets.objects import (
    MANAGED_BY,
    ROLE_LABEL,
    TARGET_LABEL,
    ClusterObject,
    Json,
    Marks,
    Resource,
    new_object,
)

VERSION = "projectcalico.org/v3"
TIER = Resource(VERSION, "Tier", "tiers", namespaced=False)
NETWORK_SET = Resource(VERSION, "GlobalNetworkSet", "globalnetworksets", namespaced=False)
POLICY = Resource(VERSION, "GlobalNetworkPolicy", "globalnetworkpolicies", namespaced=False)
STAGED = Resource(
    VERSION, "StagedGlobalNetworkPolicy", "stagedglobalnetworkpolicies", namespaced=False
)


def _no_labels(name: str) -> Mapping[str, str]:  # noqa: ARG001 - rules select by the role alone
    return {}


SHAPE = SetShape(NETWORK_SET, "nets", _no_labels, (SetRole.ALLOW, SetRole.BAN, SetRole.EXCEPT))

_TIER_ORDER = 100
"""Before Calico's own tiers, which begin at 1,000."""
_ORDERS = {Side.PODS: 10, Side.NODES: 20}
_PLAN = (
    (SetRole.EXCEPT, "Pass"),
    (SetRole.BAN, "Deny"),
    (SetRole.ALLOW, "Pass"),
    (None, "Deny"),
)
"""What becomes of packets, by the set that has their sources; None: of all others."""


def objects(fence: ClusterFence, target: Target) -> Iterator[ClusterObject]:
    """Yield the objects that hold a fence.

    Raises:
        RulesError: the target lacks what is needed.
    """
    chosen = sides(target)
    if not fence.groups:
        return
    yield tier(target)
    for group in fence.groups:
        yield from group_set_objects(SHAPE, group, target)
    for observe in (False, True):
        if groups := placed(fence, observe=observe):
            for side in chosen:
                yield policy(groups, target, side, observe=observe)


def policy_name(target: Target, side: Side, *, observe: bool) -> str:
    """Return the name of a policy; it begins with that of its tier, as Calico asks."""
    return f"{target.prefix}.{side}{'-observe' if observe else ''}"


def policy(groups: Iterable[Placed], target: Target, side: Side, *, observe: bool) -> ClusterObject:
    """Return the policy of some groups; one that only observes is staged."""
    known = tuple(groups)
    rules: list[Json] = [rule for _, group in known for rule in _rules(group, target)]
    spec: dict[str, Json] = {
        "tier": target.prefix,
        "order": _ORDERS[side],
        **_subject(target, side),
        "types": ["Ingress"],
        "ingress": rules,
    }
    if observe:
        spec["stagedAction"] = "Set"
    return new_object(
        STAGED if observe else POLICY,
        target,
        policy_name(target, side, observe=observe),
        spec,
        Marks(annotations=facts_of(known)),
    )


def tier(target: Target) -> ClusterObject:
    """Return the tier of a target; each has its own, since removing one must not harm others."""
    spec: dict[str, Json] = {"order": _TIER_ORDER, "defaultAction": "Pass"}
    return new_object(TIER, target, target.prefix, spec)


def _subject(target: Target, side: Side) -> dict[str, Json]:
    selector = _selector(side.labels(target))
    if side is Side.NODES:  # by the port that the Internet named, forwarded packets included
        return {"selector": selector, "preDNAT": True, "applyOnForward": True}
    namespace = f"kubernetes.io/metadata.name == '{target.namespace}'"
    return {"selector": selector, "namespaceSelector": namespace}


def _rules(group: FenceGroup, target: Target) -> Iterator[Json]:
    for role, action in _PLAN:
        source = _source(set_name(role, group, target), target) if role else {}
        for protocol in Protocol:
            ports = [_port(each) for each in group.ports if each.protocol is protocol]
            if ports:
                yield {
                    "action": action,
                    "protocol": protocol.upper(),
                    "source": source,  # empty for all, as Calico's own server returns it
                    "destination": {"ports": ports},
                }


def _source(named: str, target: Target) -> Json:
    """Return the selector of a set: by all labels by which a target's objects are listed.

    A set of somebody else that it matches is noticed then. Without "global()" it would match pods.
    """
    labels = {MANAGED_BY: FIELD_MANAGER, TARGET_LABEL: target.name, ROLE_LABEL: named}
    return {"selector": _selector(labels.items()), "namespaceSelector": "global()"}


def _selector(labels: Iterable[tuple[str, str]]) -> str:
    return " && ".join(f"{key} == '{value}'" for key, value in labels)


def _port(ports: Ports) -> Json:
    return ports.first if ports.first == ports.last else f"{ports.first}:{ports.last}"
