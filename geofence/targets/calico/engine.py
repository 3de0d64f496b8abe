"""The engine of Calico."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from geofence.model.prefixes import AddressSpace
from geofence.model.target import Gap, Target, TargetKind
from geofence.targets import set_requests
from geofence.targets.calico import policies
from geofence.targets.calico.judge import judge
from geofence.targets.calico.limits import limits
from geofence.targets.fence import ClusterFence
from geofence.targets.fence_facts import Placed, Side, damaged, read_groups
from geofence.targets.labelled_engine import LabelledEngine
from geofence.targets.objects import ClusterObject
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


def _held(fence: ClusterFence) -> ClusterFence:
    """Return the fence as far as network sets can say it."""
    return ClusterFence(tuple(map(with_real_sources, fence.groups)))


def _gaps(target: Target) -> Iterable[Gap]:
    of_pods = (Gap.OWN_NODE, Gap.PUBLIC_PORT) if target.pods else ()
    # Staged policies tell nothing of nodes.
    of_nodes = (Gap.OBSERVE,) if target.nodes else ()
    return (*_GAPS, *of_pods, *of_nodes)


def _groups(
    objects: Sequence[ClusterObject], sets: Mapping[str, AddressSpace], target: Target, side: Side
) -> Sequence[Placed]:
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


CALICO = LabelledEngine(
    kind=TargetKind.CALICO,
    resources=(policies.TIER, policies.NETWORK_SET, policies.POLICY, policies.STAGED),
    shape=policies.SHAPE,
    foundations=(policies.TIER.kind,),
    held=_held,
    rendered=policies.objects,
    groups=_groups,
    gaps=_gaps,
    limits=limits,
    judge_of=judge,
)
"""Tiers, network sets and policies."""
