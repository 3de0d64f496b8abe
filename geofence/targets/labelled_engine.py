"""What engines have in common whose rules select sets of prefixes by label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence

from geofence.model.notes import Note
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace
from geofence.model.target import Gap, Target
from geofence.targets import set_requests
from geofence.targets.fence import ClusterFence
from geofence.targets.fence_facts import Placed, Side, common, of_target, sides
from geofence.targets.gaps import gap_notes
from geofence.targets.interface import Judge
from geofence.targets.labelled_sets import SetShape, read_sets
from geofence.targets.objects import ClusterObject, Request


class LabelledEngine(ABC):
    """See ``geofence.targets.interface.Engine``; an engine adds what is its own."""

    shape: SetShape
    foundations: Collection[str] = ()
    """Kinds of objects that come before all others, and go after them."""

    @abstractmethod
    def held(self, fence: ClusterFence) -> ClusterFence:
        """Return the fence as far as objects of this engine can say it."""

    @abstractmethod
    def rendered(self, fence: ClusterFence, target: Target) -> Iterable[ClusterObject]:
        """Yield the objects of a fence that objects can say."""

    @abstractmethod
    def groups(
        self,
        objects: Sequence[ClusterObject],
        sets: Mapping[str, AddressSpace],
        target: Target,
        side: Side,
    ) -> Sequence[Placed]:
        """Return the groups of the policies of pods or nodes.

        Raises:
            TargetError: a policy is not as geofence makes it.
        """

    @abstractmethod
    def gaps(self, target: Target) -> Iterable[Gap]:
        """Return what the engine cannot do for a target."""

    @abstractmethod
    def judge_of(self, objects: Sequence[ClusterObject], target: Target, side: Side) -> Judge:
        """Return what decides packets to pods or nodes by stored objects."""

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
