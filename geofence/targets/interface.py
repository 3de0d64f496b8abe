"""The interface of every engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from geofence.guards.objection import Objection
from geofence.model.notes import Note
from geofence.model.policy import Policy
from geofence.model.target import Target, TargetKind
from geofence.targets.fence import ClusterFence
from geofence.targets.objects import ClusterObject, Release, Request, Resource
from geofence.verdict import Packet

Judge = Callable[[Packet], bool]
"""Whether a packet that begins a connection from outside to what is fenced passes."""


class Engine(Protocol):
    """Turns a fence into objects of one kind, and back. Pure: it talks to no cluster."""

    @property
    def kind(self) -> TargetKind:
        """The kind of the targets that it is for."""
        ...

    @property
    def resources(self) -> tuple[Resource, ...]:
        """The kinds of objects that it makes, as they are to be listed."""
        ...

    @property
    def oldest(self) -> Release | None:
        """The first release that holds a fence, where releases differ in what they take."""
        ...

    def held(self, fence: ClusterFence) -> ClusterFence:
        """Return the fence as far as objects of this engine can say it.

        ``read(objects(fence, target), target) == held(fence)``, and two fences that are held alike
        have equal objects.
        """
        ...

    def objects(self, fence: ClusterFence, target: Target) -> tuple[ClusterObject, ...]:
        """Return the objects that hold a fence, in a stable order.

        Raises:
            RulesError: the target lacks what the engine needs, such as labels of pods.
        """
        ...

    def read(self, objects: Sequence[ClusterObject], target: Target) -> ClusterFence:
        """Return the fence that stored objects hold; an empty one for no objects.

        Raises:
            TargetError: they have not the shape that geofence gives them.
        """
        ...

    def order(
        self, before: Sequence[ClusterObject], after: Sequence[ClusterObject]
    ) -> tuple[Request, ...]:
        """Return requests that lead from stored objects to others, one after the other.

        After each of them nothing is open that neither the old fence nor the new one opens, and
        nothing is blocked that both open. Objects that stay as they are take no request, and none
        is deleted to be made again. An empty ``after`` removes the fence.

        Args:
            before: as they are stored, whoever changed them; see ``ClusterObject.of``.
            after: from ``objects``, or none.
        """
        ...

    def inexpressible(
        self, policy: Policy, fence: ClusterFence, target: Target
    ) -> tuple[Note, ...]:
        """Return what the rules say and the engine cannot: a note for each ``Gap``, by name."""
        ...

    def limits(self, objects: Sequence[ClusterObject]) -> tuple[Objection, ...]:
        """Return the limits of servers and engines that objects exceed, with the numbers."""
        ...

    def judge(self, objects: Sequence[ClusterObject], target: Target) -> Judge:
        """Return what decides packets by stored objects, as the API's documentation says.

        It shares nothing with ``objects`` and ``read``: tests hold them against it.
        """
        ...
