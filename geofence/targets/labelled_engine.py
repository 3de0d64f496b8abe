"""What engines have in common whose rules select sets of prefixes by label."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from geofence.guards.objection import Objection
from geofence.model.notes import Note
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace
from geofence.model.target import Gap, Target, TargetKind
from geofence.targets import set_requests
from geofence.targets.fence import ClusterFence
from geofence.targets.fence_facts import Placed, Side, common, of_target, sides
from geofence.targets.gaps import gap_notes
from geofence.targets.interface import Judge
from geofence.targets.labelled_sets import SetShape, read_sets
from geofence.targets.objects import ClusterObject, Release, Request, Resource

Groups = Callable[
    [Sequence[ClusterObject], Mapping[str, AddressSpace], Target, Side], Sequence[Placed]
]
"""Returns the groups of the policies of pods or nodes, by stored objects and their sets.

It raises a ``TargetError`` if a policy is not as geofence makes it.
"""


@dataclass(frozen=True, kw_only=True)
class LabelledEngine:
    """See ``geofence.targets.interface.Engine``; its fields are what engines have of their own."""

    kind: TargetKind
    resources: tuple[Resource, ...]
    shape: SetShape
    foundations: Collection[str] = ()
    """Kinds of objects that come before all others, and go after them."""
    oldest: Release | None = None
    held: Callable[[ClusterFence], ClusterFence]
    rendered: Callable[[ClusterFence, Target], Iterable[ClusterObject]]
    """Returns the objects of a fence that objects can say."""
    groups: Groups
    gaps: Callable[[Target], Iterable[Gap]]
    """Returns what the engine cannot do for a target."""
    limits: Callable[[Sequence[ClusterObject]], tuple[Objection, ...]]
    judge_of: Callable[[Sequence[ClusterObject], Target, Side], Judge]
    """Returns what decides packets to pods or nodes by stored objects."""

    def objects(self, fence: ClusterFence, target: Target) -> tuple[ClusterObject, ...]:
        """Return the objects that hold a fence, in a stable order."""
        return tuple(self.rendered(self.held(fence), target))

    def read(self, objects: Sequence[ClusterObject], target: Target) -> ClusterFence:
        """Return the fence that stored objects hold; an empty one for no objects."""
        mine = tuple(of_target(objects, target))
        sets = read_sets(self.shape, mine)
        return common(self.groups(mine, sets, target, side) for side in sides(target))

    def order(
        self, before: Sequence[ClusterObject], after: Sequence[ClusterObject]
    ) -> tuple[Request, ...]:
        """Return requests that lead from stored objects to others, one after the other."""
        return set_requests.requests(before, after, self.shape, self.foundations)

    def inexpressible(
        self,
        policy: Policy,
        fence: ClusterFence,  # noqa: ARG002 - the interface's
        target: Target,
    ) -> tuple[Note, ...]:
        """Return what the rules say and the engine cannot."""
        return gap_notes(policy, target, self.gaps(target))

    def judge(self, objects: Sequence[ClusterObject], target: Target) -> Judge:
        """Return what decides packets by stored objects: they must reach all that is fenced."""
        judges = [self.judge_of(objects, target, side) for side in sides(target)]
        return lambda packet: all(each(packet) for each in judges)
