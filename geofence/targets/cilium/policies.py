"""Cilium's objects for a fence.

Sources are CIDR groups, chosen by label. Each set has a label of its own: Cilium gives an address
the labels of all groups that hold it, and of two values of one label only one (cilium#45225).

Pods get a policy that allows. What it does not allow is shut, so a set that is missing opens
nothing, and a connection that another node forwards under its own address is blocked. All other
ports are written out, and ICMP.

Nodes get a policy that denies and does not shut what it does not mention. A node has SSH, kubelet,
etcd, tunnels, VRRP and more, and one forgotten protocol would cost the cluster. Denied is everybody
but the groups that are allowed: one that is missing opens nothing here, either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

from geofence.model.policy import Ports
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.model.target import Labels, Target
from geofence.targets.fence import ClusterFence, FenceGroup, unfenced_ports
from geofence.targets.fence_facts import Placed, Side, facts_of, placed, sides
from geofence.targets.labelled_sets import (
    SetRole,
    SetShape,
    group_set_objects,
    set_name,
    set_objects,
)
from geofence.targets.objects import (
    ClusterObject,
    Json,
    Marks,
    OlderVersion,
    Release,
    Resource,
    new_object,
)

VERSION = "cilium.io/v2"
OLDEST = Release(1, 17)
"""The first release that selects CIDR groups by label (cilium#36087)."""
CIDR_GROUP = Resource(
    VERSION,
    "CiliumCIDRGroup",
    "ciliumcidrgroups",
    namespaced=False,
    older=(OlderVersion("cilium.io/v2alpha1", Release(1, 17)),),  # cilium#38940
)
POLICY = Resource(VERSION, "CiliumNetworkPolicy", "ciliumnetworkpolicies")
NODE_POLICY = Resource(
    VERSION,
    "CiliumClusterwideNetworkPolicy",
    "ciliumclusterwidenetworkpolicies",
    namespaced=False,
)


def _labels(name: str) -> Mapping[str, str]:
    return {f"geofence.io/{name}": ""}


SHAPE = SetShape(
    CIDR_GROUP,
    "externalCIDRs",
    _labels,
    (SetRole.ALLOW, SetRole.EXCEPT, SetRole.BAN),
)
MOST_PORTS = 40
"""Ports, and types of ICMP, that Cilium takes in one list."""

_EVERYBODY = AddressSpace.of(Prefix(family, 0, 0) for family in Family)
_ICMP = {
    Family.IPV4: (0, 3, 5, 8, 9, 10, 11, 12, 13, 14, 40, 42, 43),
    Family.IPV6: (1, 2, 3, 4, *range(128, 150), 151, 152, 153, 155, 157, 158, 159, 160, 161),
}
"""Types that IANA has assigned and that are in use."""


def objects(fence: ClusterFence, target: Target) -> Iterator[ClusterObject]:
    """Yield the objects that hold a fence.

    Raises:
        RulesError: the target lacks what is needed.
    """
    chosen = sides(target)
    groups = placed(fence, observe=False)
    if not groups:
        return
    for _, group in groups:
        yield from group_set_objects(SHAPE, group, target)
    if Side.NODES in chosen:
        yield from set_objects(SHAPE, everybody(target), _EVERYBODY, target)
    for side in chosen:
        yield policy(groups, target, side)


def policy(groups: Sequence[Placed], target: Target, side: Side) -> ClusterObject:
    """Return the policy for the pods or the nodes of a target."""
    fenced = [group for _, group in groups]
    marks = Marks(annotations=facts_of(groups))
    if side is Side.PODS:
        spec = {"endpointSelector": _matching(target.pods), **_allowing(fenced, target)}
        return new_object(POLICY, target, target.prefix, spec, marks)
    spec = {"nodeSelector": _matching(target.nodes), **_denying(fenced, target)}
    return new_object(NODE_POLICY, target, f"{target.prefix}-nodes", spec, marks)


def everybody(target: Target) -> str:
    """Return the name of the set of all addresses."""
    return f"everybody-{sha256(target.name.encode()).hexdigest()[:8]}"


def _allowing(groups: Sequence[FenceGroup], target: Target) -> dict[str, Json]:
    ingress: list[Json] = [
        {
            "fromCIDRSet": [
                _from((set_name(role, group, target),)) for role in (SetRole.EXCEPT, SetRole.ALLOW)
            ],
            "toPorts": _to_ports(group.ports),
        }
        for group in groups
    ]
    others = unfenced_ports(ClusterFence(tuple(groups)))
    ingress.append({"fromEntities": ["all"], "toPorts": [*_to_ports(others), _ALL_SCTP]})
    ingress += [
        {"fromEntities": ["all"], "icmps": [{"fields": _icmp_fields(family)}]} for family in Family
    ]
    return {
        "enableDefaultDeny": {"ingress": True, "egress": False},
        "ingress": ingress,
        "ingressDeny": list(_bans(groups, target)),
    }


def _denying(groups: Sequence[FenceGroup], target: Target) -> dict[str, Json]:
    others: list[Json] = [
        {"fromCIDRSet": [_outside(group, target)], "toPorts": _to_ports(group.ports)}
        for group in groups
    ]
    return {
        "enableDefaultDeny": {"ingress": False, "egress": False},
        "ingressDeny": [*others, *_bans(groups, target)],
    }


def _bans(groups: Iterable[FenceGroup], target: Target) -> Iterator[Json]:
    """Yield the rules of bans, which hold against policies of others, too."""
    for group in groups:
        name = set_name(SetRole.BAN, group, target)
        yield {"fromCIDRSet": [_from((name,))], "toPorts": _to_ports(group.ports)}


def _outside(group: FenceGroup, target: Target) -> Json:
    allowed = [set_name(role, group, target) for role in (SetRole.EXCEPT, SetRole.ALLOW)]
    return _from((everybody(target),), allowed)


def _from(names: Iterable[str], excluded: Iterable[str] = ()) -> Json:
    """Return the selector of groups that have some labels and lack others."""
    has: list[Json] = [{"key": key, "operator": "Exists"} for key in _keys(names)]
    lacks: list[Json] = [{"key": key, "operator": "DoesNotExist"} for key in _keys(excluded)]
    return {"cidrGroupSelector": {"matchExpressions": [*has, *lacks]}}


def _keys(names: Iterable[str]) -> list[str]:
    return [key for name in names for key in SHAPE.labels(name)]


def _matching(labels: Labels) -> Json:
    return {"matchLabels": dict(labels)}


def _to_ports(ports: Sequence[Ports]) -> list[Json]:
    listed: list[Json] = [_port(each) for each in ports]
    return [{"ports": listed[at : at + MOST_PORTS]} for at in range(0, len(listed), MOST_PORTS)]


def _port(ports: Ports) -> Json:
    found: dict[str, Json] = {"port": str(ports.first), "protocol": ports.protocol.upper()}
    return found if ports.first == ports.last else {**found, "endPort": ports.last}


_ALL_SCTP: Json = {"ports": [{"port": "1", "endPort": 65_535, "protocol": "SCTP"}]}


def _icmp_fields(family: Family) -> list[Json]:
    return [{"family": family.label, "type": each} for each in _ICMP[family]]
