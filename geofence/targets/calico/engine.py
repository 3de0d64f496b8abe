"""The engine of Calico."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from geofence.guards.objection import Objection
from geofence.model.notes import Note
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace
from geofence.model.target import Gap, Target, TargetKind
from geofence.targets import set_requests
from geofence.targets.calico import policies
from geofence.targets.calico.judge import judge
from geofence.targets.calico.limits import limits
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
    Gap.COUNTERS,
    Gap.LOCAL_NETWORKS,
    Gap.TRUSTED_INTERFACES,
    Gap.HELPERS,
    Gap.REPLIES_FROM,
    Gap.ENDS,
)


class Calico:
    """Tiers, network sets and policies."""

    kind = TargetKind.CALICO
    oldest: Release | None = None
    resources: tuple[Resource, ...] = (
        policies.TIER,
        policies.NETWORK_SET,
        policies.POLICY,
        policies.STAGED,
    )

    def held(self, fence: ClusterFence) -> ClusterFence:
        """Return the fence as far as network sets can say it."""
        return ClusterFence(tuple(map(with_real_sources, fence.groups)))

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
        tiers = (policies.TIER.kind,)
        return set_requests.requests(before, after, policies.SHAPE, tiers)

    def inexpressible(
        self,
        policy: Policy,
        fence: ClusterFence,  # noqa: ARG002 - the interface's
        target: Target,
    ) -> tuple[Note, ...]:
        """Return what the rules say and Calico cannot."""
        of_pods = (Gap.OWN_NODE, Gap.PUBLIC_PORT) if target.pods else ()
        # Staged policies tell nothing of nodes.
        of_nodes = (Gap.OBSERVE,) if target.nodes else ()
        return gap_notes(policy, target, (*_GAPS, *of_pods, *of_nodes))

    def limits(self, objects: Sequence[ClusterObject]) -> tuple[Objection, ...]:
        """Return the limits of API servers and of Calico that objects exceed."""
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
) -> list[Placed]:
    """Return the groups of pods' or nodes' policies.

    Raises:
        TargetError: a policy is not as geofence makes it.
    """
    if not _has_tier(objects, target):
        return []
    found: list[Placed] = []
    for observe in (False, True):
        kind = (policies.STAGED if observe else policies.POLICY).kind
        name = policies.policy_name(target, side, observe=observe)
        for stored in objects:
            if (stored.kind, stored.name) == (kind, name):
                groups = read_groups(stored, sets, target, observe=observe)
                made = policies.policy(groups, target, side, observe=observe)
                if not set_requests.same(stored, made, policies.SHAPE):
                    raise damaged(stored)
                found += groups
    return sorted(found, key=lambda each: each[0])


def _has_tier(objects: Sequence[ClusterObject], target: Target) -> bool:
    """Whether the tier is there, without which no policy of it applies.

    Raises:
        TargetError: it is not as geofence makes it; by default, it may deny.
    """
    wanted = policies.tier(target)
    for stored in objects:
        if stored.key == wanted.key:
            if not set_requests.same(stored, wanted, policies.SHAPE):
                raise damaged(stored)
            return True
    return False
