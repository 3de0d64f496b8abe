"""The engine of Cilium, 1.17 or later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from geofence.guards.objection import Objection
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.target import Gap, Target, TargetKind
from geofence.targets import set_requests
from geofence.targets.cilium import policies
from geofence.targets.cilium.judge import judge
from geofence.targets.cilium.limits import limits
from geofence.targets.fence import ClusterFence
from geofence.targets.fence_facts import Placed, Side, damaged, read_groups
from geofence.targets.interface import Judge
from geofence.targets.labelled_engine import LabelledEngine
from geofence.targets.objects import ClusterObject, Release, Resource
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


class Cilium(LabelledEngine):
    """CIDR groups, and policies for pods and for nodes."""

    kind = TargetKind.CILIUM
    shape = policies.SHAPE
    oldest: Release | None = policies.OLDEST
    resources: tuple[Resource, ...] = (policies.CIDR_GROUP, policies.POLICY, policies.NODE_POLICY)

    def held(self, fence: ClusterFence) -> ClusterFence:
        """Return the fence as far as CIDR groups can say it: without what is only observed."""
        return ClusterFence(
            tuple(with_real_sources(group) for group in fence.groups if not group.observe)
        )

    def rendered(self, fence: ClusterFence, target: Target) -> Iterable[ClusterObject]:
        """Yield the objects of a fence that objects can say."""
        return policies.objects(fence, target)

    def gaps(self, target: Target) -> Iterable[Gap]:
        """Return what Cilium cannot do for a target."""
        of_pods = (Gap.ORDER, Gap.OWN_NODE, Gap.OTHER_PROTOCOLS) if target.pods else ()
        return (*_GAPS, *of_pods)

    def limits(self, objects: Sequence[ClusterObject]) -> tuple[Objection, ...]:
        """Return the limits of API servers and of Cilium that objects exceed."""
        return limits(objects)

    def judge_of(self, objects: Sequence[ClusterObject], target: Target, side: Side) -> Judge:
        """Return what decides packets to pods or nodes by stored objects."""
        return judge(objects, target, side)

    def groups(
        self,
        objects: Sequence[ClusterObject],
        sets: Mapping[str, AddressSpace],
        target: Target,
        side: Side,
    ) -> Sequence[Placed]:
        """Return the groups of the pods' or the nodes' policy.

        Raises:
            TargetError: the policy is not as geofence makes it.
        """
        wanted = policies.policy((), target, side).key
        for stored in objects:
            if stored.key == wanted:
                groups = read_groups(stored, sets, target, observe=False)
                made = policies.policy(groups, target, side)
                if not set_requests.same(stored, made, self.shape):
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
