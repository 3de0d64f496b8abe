"""The engine of Cilium, 1.17 or later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from geofence.model.prefixes import AddressSpace, Family
from geofence.model.target import Gap, Target, TargetKind
from geofence.targets import set_requests
from geofence.targets.cilium import policies
from geofence.targets.cilium.judge import judge
from geofence.targets.cilium.limits import limits
from geofence.targets.fence import ClusterFence
from geofence.targets.fence_facts import Placed, Side, damaged, read_groups
from geofence.targets.labelled_engine import LabelledEngine
from geofence.targets.objects import ClusterObject
from geofence.targets.prefixes import with_real_sources

_GAPS = (
    Gap.LIVE_FLOWS,
    Gap.OBSERVE,
    Gap.COUNTERS,
    Gap.LOCAL_NETWORKS,
    Gap.TRUSTED_INTERFACES,
    Gap.HELPERS,
    Gap.REPLIES_FROM,
    Gap.ENDS,
    Gap.PUBLIC_PORT,
    Gap.CLUSTER_SOURCES,
)


def _held(fence: ClusterFence) -> ClusterFence:
    """Return the fence as far as CIDR groups can say it: without what is only observed."""
    return ClusterFence(
        tuple(with_real_sources(group) for group in fence.groups if not group.observe)
    )


def _gaps(target: Target) -> Iterable[Gap]:
    of_pods = (Gap.ORDER, Gap.OWN_NODE, Gap.OTHER_PROTOCOLS) if target.pods else ()
    return (*_GAPS, *of_pods)


def _groups(
    objects: Sequence[ClusterObject], sets: Mapping[str, AddressSpace], target: Target, side: Side
) -> Sequence[Placed]:
    wanted = policies.policy((), target, side).key
    for stored in objects:
        if stored.key == wanted:
            groups = read_groups(stored, sets, target, observe=False)
            made = policies.policy(groups, target, side)
            if not set_requests.same(stored, made, policies.SHAPE):
                raise damaged(stored)
            return groups if side is Side.PODS else _denied(groups, sets, target)
    return ()


def _denied(
    groups: Sequence[Placed], sets: Mapping[str, AddressSpace], target: Target
) -> tuple[Placed, ...]:
    """Return the groups of a policy that denies: whom its set of everybody lacks is allowed."""
    everybody = sets.get(policies.everybody(target), AddressSpace())
    missing = AddressSpace(*(everybody[family].complement() for family in Family))
    if not missing:
        return tuple(groups)
    return tuple(
        (at, replace(group, allowed=group.allowed | missing.without(group.banned)))
        for at, group in groups
    )


CILIUM = LabelledEngine(
    kind=TargetKind.CILIUM,
    resources=(policies.CIDR_GROUP, policies.POLICY, policies.NODE_POLICY),
    shape=policies.SHAPE,
    oldest=policies.OLDEST,
    held=_held,
    rendered=policies.objects,
    groups=_groups,
    gaps=_gaps,
    limits=limits,
    judge_of=judge,
)
"""CIDR groups, and policies for pods and for nodes."""
