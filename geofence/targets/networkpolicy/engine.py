"""The engine of NetworkPolicies: its parts together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from geofence.guards.objection import Objection
from geofence.model.notes import Note
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace
from geofence.model.target import Gap, Target, TargetKind
from geofence.targets.fence import ClusterFence, FenceGroup
from geofence.targets.gaps import gap_notes
from geofence.targets.interface import Judge
from geofence.targets.networkpolicy.judge import judge
from geofence.targets.networkpolicy.limits import limits
from geofence.targets.networkpolicy.order import order
from geofence.targets.networkpolicy.reading import read
from geofence.targets.networkpolicy.render import render
from geofence.targets.networkpolicy.shape import NETWORK_POLICY
from geofence.targets.objects import ClusterObject, Release, Request
from geofence.targets.prefixes import with_real_sources

_GAPS = tuple(gap for gap in Gap if gap is not Gap.CLUSTER_SOURCES)
"""Sources are addresses, in the cluster as elsewhere."""


class NetworkPolicies:
    """See ``geofence.targets.interface.Engine``."""

    kind = TargetKind.NETWORKPOLICY
    oldest: Release | None = None
    resources = (NETWORK_POLICY,)

    def held(self, fence: ClusterFence) -> ClusterFence:
        """Return the fence without bans, which are no longer in what is allowed.

        Nor has it prefixes that an API server refuses.
        """
        return ClusterFence(tuple(map(_held, fence.groups)))

    def objects(self, fence: ClusterFence, target: Target) -> tuple[ClusterObject, ...]:
        """Return the objects that hold a fence, the base first."""
        return render(self.held(fence), target)

    def read(self, objects: Sequence[ClusterObject], target: Target) -> ClusterFence:
        """Return the fence that stored objects hold."""
        return read(objects, target)

    def order(
        self, before: Sequence[ClusterObject], after: Sequence[ClusterObject]
    ) -> tuple[Request, ...]:
        """Return requests that lead from stored objects to others."""
        return order(before, after)

    def inexpressible(
        self, policy: Policy, fence: ClusterFence, target: Target
    ) -> tuple[Note, ...]:
        """Return what the rules say and a NetworkPolicy cannot: nearly all that there is."""
        del fence
        return gap_notes(policy, target, _GAPS)

    def limits(self, objects: Sequence[ClusterObject]) -> tuple[Objection, ...]:
        """Return the limits that objects exceed."""
        return limits(objects)

    def judge(self, objects: Sequence[ClusterObject], target: Target) -> Judge:
        """Return what decides packets by stored objects."""
        return judge(objects, target)


def _held(group: FenceGroup) -> FenceGroup:
    nobody = AddressSpace()
    if group.observe:
        return replace(group, excepted=nobody, banned=nobody, allowed=nobody)
    return replace(with_real_sources(group), banned=nobody)
