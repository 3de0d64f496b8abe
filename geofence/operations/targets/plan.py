"""``plan --target``: what a run would change in a cluster, and what its engine cannot do."""

from __future__ import annotations

from collections.abc import Collection

from geofence.errors import ClusterError, TargetError
from geofence.guards.objection import remaining
from geofence.model.generation import Generation
from geofence.model.lists import ListKind
from geofence.model.notes import Note, NoteKind, problem
from geofence.operations.blocklist_notes import format_notes, left_out_notes
from geofence.operations.commit import check_overrides
from geofence.operations.gathered import Gathered
from geofence.operations.lists import Watch, fetched, overlapping, spaces, stored, unwatched
from geofence.operations.plan import PlanReport, changes_by_country, refusal_note
from geofence.operations.report import AllowedTo, allowed_to
from geofence.operations.targets.apply import list_notes, nothing_fenced
from geofence.operations.targets.commit import check, unlisted_notes
from geofence.operations.targets.desired import Desired, as_recorded, desired
from geofence.operations.targets.observe import InCluster, observe_for
from geofence.operations.targets.shown import shown_plan
from geofence.operations.targets.site import TargetSite
from geofence.plan.observing import observing_changes
from geofence.targets.fence import ClusterFence


def plan_cluster(
    place: TargetSite, *, offline: bool, accept: Collection[str] = (), watch: Watch = unwatched
) -> PlanReport:
    """Return what a refresh (offline: an apply) would change; nothing is changed or stored.

    Where the cluster cannot be read, the plan is against the newest generation, or against nothing.

    Raises:
        UsageError: an override has an unknown check or list.
    """
    policy = place.policy
    check_overrides(policy, accept)
    kinds = tuple(ListKind)
    gathered = (
        Gathered(stored(place.main, policy))
        if offline
        else fetched(place.main, policy, kinds, accept, watch)
    )
    reports = gathered.reports
    wanted = desired(place, spaces(reports))
    newest, damaged = place.own.generations.newest()
    found, unread = _found(place, wanted, newest)
    made = shown_plan(found, wanted.fence, wanted.objects, wanted.ruleset)
    refusals = remaining(check(place, found, wanted, newest), accept)
    return PlanReport(
        made,
        place.chosen,
        reports,
        notes=(
            *unread,
            *observing_changes(newest.ruleset if newest else None, wanted.ruleset),
            *gathered.notes,
            *(problem(str(each)) for each in damaged),
            *(problem(each.problem, str(each.id)) for each in reports if each.problem),
            *nothing_fenced(place),
            *overlapping(reports),
            *list_notes(place, reports),
            *format_notes(policy, reports),
            *left_out_notes(policy, reports),
            *unlisted_notes(place, found),
            *unreadable_notes(place, found),
            *_without_order(place, found, wanted),
            *place.engine.inexpressible(policy, wanted.fence, place.target),
            *map(refusal_note, refusals),
        ),
        countries=changes_by_country(place.main, reports, made),
        refusals=refusals,
        next_run=f"{'apply' if offline else 'refresh'} --target {place.target.name}",
        allowed=allowed_in(place),
    )


def _found(
    place: TargetSite, wanted: Desired, newest: Generation | None
) -> tuple[InCluster, tuple[Note, ...]]:
    """Return what the cluster holds; with a note, what it should hold, if it cannot be read."""
    try:
        with place.connected() as cluster:
            return observe_for(place, cluster, wanted, newest), ()
    except ClusterError as error:
        facts = {"message": str(error), "generation": newest.number if newest else None}
        notes = (Note(NoteKind.TARGET_UNREAD, place.target.name, facts),)
        if newest is None:
            return InCluster(fence=ClusterFence()), notes
        applied = as_recorded(place, newest)
        return InCluster(applied.objects, fence=applied.fence), notes


def unreadable_notes(place: TargetSite, found: InCluster) -> tuple[Note, ...]:
    """Return a note if objects have not the shape that geofence gives them."""
    if found.fence is not None:
        return ()
    return (Note(NoteKind.TARGET_CHANGED, place.target.name),)


def _without_order(place: TargetSite, found: InCluster, wanted: Desired) -> tuple[Note, ...]:
    """Return a note if no order of requests leads to what is wanted."""
    try:
        place.engine.order(found.objects, wanted.objects)
    except TargetError as error:
        return (problem(error),)
    return ()


def allowed_in(place: TargetSite) -> tuple[AllowedTo, ...]:
    """Return whom the rules allow to reach each service that a target fences."""
    return tuple(each for each in allowed_to(place.policy) if place.target.fences(each.service))
