"""``remove --target``: take the fence of a target out of its cluster."""

from __future__ import annotations

from geofence.cluster.client import Cluster
from geofence.errors import ClusterError, TargetError
from geofence.operations.targets.commit import command_of
from geofence.operations.targets.desired import as_recorded
from geofence.operations.targets.observe import InCluster, observe
from geofence.operations.targets.site import TargetSite
from geofence.spelling import printable
from geofence.state.applied_to import forget_applied_to, read_applied_to
from geofence.targets.objects import Verb
from geofence.translation import join, tr


def remove_from_cluster(place: TargetSite) -> tuple[str, ...]:
    """Delete the objects that geofence has applied, and return their names.

    Objects of other programs stay, whatever their names and labels. Records stay, too, so that
    ``restore`` brings the fence back.

    Raises:
        ClusterError: the cluster refused; some objects may be left.
        TargetError: the fence was applied elsewhere; or objects are there again.
    """
    with place.holding(), place.connected() as cluster:
        _refuse_elsewhere(place, cluster)
        newest, _ = place.own.generations.newest()
        known = as_recorded(place, newest).objects if newest else ()
        found = observe(place, cluster, known)
        _refuse_anothers(place, found)
        removed: list[str] = []
        for request in place.engine.order(found.objects, ()):
            thing, resource = request.object, place.resource(request.object.kind)
            try:
                if request.verb is Verb.APPLY:
                    cluster.apply(thing, resource)
                    continue
                cluster.delete(thing, resource, found.uids.get(thing.key, ""))
            except ClusterError as error:
                raise _half_done(place, error, removed) from error
            removed.append(str(thing.key))
        left = observe(place, cluster, known).objects if removed else ()
    if left:
        raise TargetError(
            tr(
                "The cluster still has {objects}, although it took their deletion. Another program "
                "may have made them again.",
                objects=", ".join(str(each.key) for each in left),
            )
        )
    forget_applied_to(place.own.state_directory)
    if removed:
        what = "the fence in the cluster is removed: there is no fence"
        place.own.log_change(command_of(place, "remove"), what)
    return tuple(removed)


def _refuse_elsewhere(place: TargetSite, cluster: Cluster) -> None:
    """Refuse to look for a fence where it was not applied: it would seem to be removed.

    Raises:
        TargetError: it was applied elsewhere.
    """
    before, now = read_applied_to(place.own.state_directory), place.applied_to(cluster.server)
    if before not in (None, now):
        raise TargetError(
            tr(
                "The fence of {target} was applied to {before}, and the rules now name {now}. "
                "Nothing was removed. Remove it with the previous rules and kubeconfig.",
                target=place.target.name,
                before=before,
                now=now,
            )
        )


def _refuse_anothers(place: TargetSite, found: InCluster) -> None:
    """Refuse to take down the fence of another installation.

    Raises:
        TargetError: another installation keeps it.
    """
    other = found.kept_by_another(place.keeper)
    if other is not None:
        raise TargetError(
            tr(
                "The fence of {target} in the cluster is kept by the geofence installation on "
                "{host}. Nothing was removed. Remove it there; or, if that is gone, run "
                "'geofence apply --target {target} --accept taken' first.",
                target=place.target.name,
                host=printable(other.host),
            )
        )


def _half_done(place: TargetSite, error: ClusterError, removed: list[str]) -> ClusterError:
    meaning = (
        tr(
            "Removed so far: {objects}. Run 'geofence remove --target {target}' again.",
            objects=", ".join(removed),
            target=place.target.name,
        )
        if removed
        else ""
    )
    return ClusterError(
        join(" ", (str(error), meaning) if meaning else (str(error),)), error.status
    )
