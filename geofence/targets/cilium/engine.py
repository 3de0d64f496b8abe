"""The engine of Cilium, 1.17 or later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from geofence.guards.objection import Objection
from geofence.model.notes import Note
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.target import Gap, Target, TargetKind
from geofence.targets import set_requests
from geofence.targets.cilium import policies
from geofence.targets.cilium.judge import judge
from geofence.targets.cilium.limits import limits
from geofence.targets.fence import ClusterFence
from geofence.targets.fence_facts import (
    Placed,
    Side,
    common,
    damaged,
    of_target,
    read_groups,
    sides,
)
from geofence.targets.gaps import gap_notes
from geofence.targets.interface import Judge
from geofence.targets.labelled_sets import read_sets
from geofence.targets.objects import ClusterObject, Release, Request, Resource
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


class Cilium:
    """CIDR groups, and policies for pods and for nodes."""

    kind = TargetKind.CILIUM
    oldest: Release | None = policies.OLDEST
    resources: tuple[Resource, ...] = (policies.CIDR_GROUP, policies.POLICY, policies.NODE_POLICY)

    def held(self, fence: ClusterFence) -> ClusterFence:
        """Return the fence as far as CIDR groups can say it: without what is only observed."""
        return ClusterFence(
            tuple(with_real_sources(group) for group in fence.groups if not group.observe)
        )

    def objects(self, fence: ClusterFence, target: Target) -> tuple[ClusterObject, ...]:
        """Return the objects that hold a fence, in a stable order."""
        return tuple(policies.objects(self.held(fence), target))

    def read(self, objects: Sequence[ClusterObject], target: Target) -> ClusterFence:
        """Return the fence that stored objects hold; an empty one for no objects."""
        mine = tuple(of_target(objects, target))
        sets = read_sets(policies.SHAPE, mine)
        return common(_groups(mine, sets, target, side) for side in sides(target))

    def order(
        self, before: Sequence[ClusterObject], after: Sequence[ClusterObject]
    ) -> tuple[Request, ...]:
        """Return requests that lead from stored objects to others, one after the other."""
        return set_requests.requests(before, after, policies.SHAPE)

    def inexpressible(
        self,
        policy: Policy,
        fence: ClusterFence,  # noqa: ARG002 - the interface's
        target: Target,
    ) -> tuple[Note, ...]:
        """Return what the rules say and Cilium cannot."""
        of_pods = (Gap.ORDER, Gap.OWN_NODE, Gap.OTHER_PROTOCOLS) if target.pods else ()
        return gap_notes(policy, target, (*_GAPS, *of_pods))

    def limits(self, objects: Sequence[ClusterObject]) -> tuple[Objection, ...]:
        """Return the limits of API servers and of Cilium that objects exceed."""
        return limits(objects)

    def judge(self, objects: Sequence[ClusterObject], target: Target) -> Judge:
        """Return what decides packets by stored objects: they must reach all that is fenced."""
        judges = [judge(objects, target, side) for side in sides(target)]
        return lambda packet: all(each(packet) for each in judges)


def _groups(
    objects: Sequence[ClusterObject],
    sets: Mapping[str, AddressSpace],
    target: Target,
    side: Side,
) -> tuple[Placed, ...]:
    """Return the groups of the pods' or the nodes' policy.

    Raises:
        TargetError: the policy is not as geofence makes it.
    """
    wanted = policies.policy((), target, side).key
    for stored in objects:
        if stored.key == wanted:
            groups = read_groups(stored, sets, target, observe=False)
            if not set_requests.same(stored, policies.policy(groups, target, side), policies.SHAPE):
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
