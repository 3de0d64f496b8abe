"""What a cluster holds of a target's objects, and whose they are.

An object is geofence's if its field manager has applied it. One that only has its name or label is
another program's, and is left alone unless the operator says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from geofence.cluster.client import Cluster, Thing
from geofence.cluster.refusals import FORBIDDEN
from geofence.errors import ClusterError, TargetError
from geofence.model.generation import Generation
from geofence.model.target import FIELD_MANAGER
from geofence.operations.targets.desired import Desired, as_recorded
from geofence.operations.targets.site import Keeper, TargetSite
from geofence.targets.fence import ClusterFence
from geofence.targets.objects import (
    INSTALLATION_ANNOTATION,
    MANAGED_BY,
    TARGET_LABEL,
    ClusterObject,
    ObjectKey,
    Resource,
    as_mapping,
    as_sequence,
)
from geofence.targets.stored import normalized


@dataclass(frozen=True, slots=True)
class InCluster:
    """What a cluster holds of one target."""

    objects: tuple[ClusterObject, ...] = ()
    """Those of geofence's, as stored, less what others may add to them."""
    uids: Mapping[ObjectKey, str] = field(default_factory=dict)
    keepers: Mapping[ObjectKey, Keeper] = field(default_factory=dict)
    """The installation that keeps each; without a number where none has said so."""
    foreign: tuple[ObjectKey, ...] = ()
    """Those with geofence's names or labels that another program made."""
    fence: ClusterFence | None = None
    """The fence that they hold; None if they have not the shape that geofence gives them."""
    unlisted: tuple[str, ...] = ()
    """Kinds that the role may not list: only objects of known names were read."""
    server: str = ""
    """URL of the API server; empty if it was not asked."""

    def kept_by_another(self, here: Keeper) -> Keeper | None:
        """Return the other installation that keeps some of the objects; None for none."""
        others = (each for each in self.keepers.values() if each.number not in ("", here.number))
        return next(others, None)

    @property
    def is_empty(self) -> bool:
        """Whether there is no object of geofence's."""
        return not self.objects


def observe(place: TargetSite, cluster: Cluster, known: Iterable[ClusterObject]) -> InCluster:
    """Return what the cluster holds.

    Args:
        place: the target.
        cluster: its client.
        known: objects that are wanted or were applied; they are looked up by name, too.

    Raises:
        ClusterError: the cluster cannot be read.
    """
    likes = {each.key: each for each in known}
    found: dict[ObjectKey, Thing] = {}
    unlisted: list[str] = []
    for resource in place.engine.resources:
        listed = _listed(place, cluster, resource)
        if listed is None:
            unlisted.append(resource.kind)
        found |= {ClusterObject.of(each).key: each for each in listed or ()}
    for key in likes:
        if key not in found:
            thing = cluster.get(place.resource(key.kind), key.namespace, key.name)
            found |= {key: thing} if thing else {}
    return replace(_sorted_out(place, found, likes, tuple(unlisted)), server=cluster.server)


def observe_for(
    place: TargetSite, cluster: Cluster, wanted: Desired, newest: Generation | None
) -> InCluster:
    """Return what the cluster holds, for a run that changes it.

    Where objects may not be listed, those of the newest generation are looked up by name, too: one
    that is wanted no more would stay and go on allowing what it allows.

    Raises:
        ClusterError: the cluster cannot be read.
    """
    found = observe(place, cluster, wanted.objects)
    if newest is None or not found.unlisted:
        return found
    applied = as_recorded(place, newest).objects
    return observe(place, cluster, (*applied, *wanted.objects))


def _sorted_out(
    place: TargetSite,
    found: Mapping[ObjectKey, Thing],
    likes: Mapping[ObjectKey, ClusterObject],
    unlisted: tuple[str, ...],
) -> InCluster:
    ours = {key: thing for key, thing in found.items() if is_ours(thing)}
    objects = tuple(
        normalized(ClusterObject.of(thing), likes.get(key)) for key, thing in sorted(ours.items())
    )
    return InCluster(
        objects,
        {key: str(thing["metadata"].get("uid", "")) for key, thing in ours.items()},
        {key: _keeper(thing) for key, thing in ours.items()},
        tuple(sorted(key for key in found if key not in ours)),
        _fence(place, objects),
        unlisted,
    )


def _listed(place: TargetSite, cluster: Cluster, resource: Resource) -> tuple[Thing, ...] | None:
    """Return the objects with the target's label; None if the role may not list them."""
    namespace = place.target.namespace if resource.namespaced else ""
    if resource.namespaced and not namespace:
        return ()
    labels = {MANAGED_BY: FIELD_MANAGER, TARGET_LABEL: place.target.name}
    try:
        return cluster.list(resource, namespace, labels)
    except ClusterError as error:
        if error.status == FORBIDDEN:
            return None
        raise


def is_ours(thing: Thing) -> bool:
    """Whether geofence's field manager has applied an object."""
    managers = as_sequence(as_mapping(thing.get("metadata")).get("managedFields"))
    return any(as_mapping(each).get("manager") == FIELD_MANAGER for each in managers)


def _keeper(thing: Thing) -> Keeper:
    return Keeper.parse(ClusterObject.of(thing).annotations.get(INSTALLATION_ANNOTATION, ""))


def _fence(place: TargetSite, objects: Sequence[ClusterObject]) -> ClusterFence | None:
    try:
        return place.engine.read(objects, place.target)
    except TargetError:
        return None
