"""The engine of Calico."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from geofence.guards.objection import Objection
from geofence.model.prefixes import AddressSpace
from geofence.model.target import Gap, Target, TargetKind
from geofence.targets import set_requests
from geofence.targets.calico import policies
from geofence.targets.calico.judge import judge
from geofence.targets.calico.limits import limits
from geofence.targets.fence import ClusterFence
from geofence.targets.fence_facts import Placed, Side, damaged, read_groups
from geofence.targets.interface import Judge
from geofence.targets.labelled_engine import LabelledEngine
from geofence.targets.objects import ClusterObject, Release, Resource
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


class Calico(LabelledEngine):
    """Tiers, network sets and policies."""

    kind = TargetKind.CALICO
    shape = policies.SHAPE
    foundations = (policies.TIER.kind,)
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

    def rendered(self, fence: ClusterFence, target: Target) -> Iterable[ClusterObject]:
        """Yield the objects of a fence that objects can say."""
        return policies.objects(fence, target)

    def gaps(self, target: Target) -> Iterable[Gap]:
        """Return what Calico cannot do for a target."""
        of_pods = (Gap.OWN_NODE, Gap.PUBLIC_PORT) if target.pods else ()
        # Staged policies tell nothing of nodes.
        of_nodes = (Gap.OBSERVE,) if target.nodes else ()
        return (*_GAPS, *of_pods, *of_nodes)

    def limits(self, objects: Sequence[ClusterObject]) -> tuple[Objection, ...]:
        """Return the limits of API servers and of Calico that objects exceed."""
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
                    if not set_requests.same(stored, made, self.shape):
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
