"""``status --target``: the fence in a cluster, its drift, and the age of its lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from geofence.errors import MissingListError
from geofence.model.chosen import ChosenBackend
from geofence.model.generation import Generation
from geofence.model.notes import Note, NoteKind, problem
from geofence.model.plan import Count
from geofence.operations.lists import refused, spaces, stale, stored
from geofence.operations.report import AllowedTo, ListReport
from geofence.operations.status import ServiceStatus
from geofence.operations.targets.apply import nothing_fenced
from geofence.operations.targets.commit import unlisted_notes
from geofence.operations.targets.desired import Desired, as_recorded, desired
from geofence.operations.targets.observe import InCluster, observe
from geofence.operations.targets.plan import allowed_in, unreadable_notes
from geofence.operations.targets.shown import sets_of, shown_plan
from geofence.operations.targets.site import TargetSite
from geofence.plan.drift import Difference, differences
from geofence.state.outcomes import RunOutcome
from geofence.targets.fence import ClusterFence, FenceGroup


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """The result of ``status --target``."""

    target: str
    backend: ChosenBackend
    objects: tuple[str, ...]
    """Those of geofence's in the cluster."""
    drift: tuple[Difference, ...]
    """Differences of the cluster from the generation in force."""
    generation: int | None
    applied_at: datetime | None
    reason: str
    services: tuple[ServiceStatus, ...]
    """Those that the cluster fences, without counters: no API has any."""
    sets: dict[str, int]
    """Number of prefixes by name of set."""
    rules_edited: bool | None
    """Whether rules, lists and bans on disk differ from what was applied; None if unknown."""
    lists: tuple[ListReport, ...]
    stale: tuple[Note, ...]
    allowed: tuple[AllowedTo, ...]
    last: RunOutcome | None
    notes: tuple[Note, ...]

    @property
    def fenced(self) -> bool:
        """Whether the cluster has the fence, complete or not."""
        return bool(self.objects)


def status_of_cluster(place: TargetSite) -> TargetStatus:
    """Return the fence in a cluster, its drift, and the age of its lists.

    Raises:
        ClusterError: the cluster cannot be read.
    """
    generation, damaged = place.own.generations.newest()
    applied = as_recorded(place, generation) if generation else None
    with place.connected() as cluster:
        found = observe(place, cluster, applied.objects if applied else ())
    reports = stored(place.main, place.policy)
    fence = found.fence or (applied.fence if applied else ClusterFence())
    return TargetStatus(
        place.target.name,
        place.chosen,
        tuple(str(each.key) for each in found.objects),
        _drift(found, applied),
        generation.number if generation else None,
        generation.created_at if generation else None,
        generation.reason if generation else "",
        tuple(_services(fence) if found.objects else ()),
        {key.name: space.prefix_count for key, space in sorted(sets_of(fence).items())}
        if found.objects
        else {},
        _is_edited(place, reports, generation),
        reports,
        stale(place.policy, reports, datetime.now(UTC)),
        allowed_in(place),
        place.own.journal.outcome(),
        (
            *(problem(str(each)) for each in damaged),
            *(problem(each.problem, str(each.id)) for each in reports if each.problem),
            *(() if generation else (Note(NoteKind.TARGET_NEVER_APPLIED, place.target.name),)),
            *nothing_fenced(place),
            *refused(place.main, reports),
            *unlisted_notes(place, found),
            *unreadable_notes(place, found),
            *foreign_notes(place, found),
        ),
    )


def foreign_notes(place: TargetSite, found: InCluster) -> tuple[Note, ...]:
    """Return a note on objects of other programs with geofence's names or labels."""
    if not found.foreign:
        return ()
    facts = {"objects": list(map(str, found.foreign))}
    return (Note(NoteKind.TARGET_FOREIGN, place.target.name, facts),)


def _drift(found: InCluster, applied: Desired | None) -> tuple[Difference, ...]:
    if applied is None:
        return ()
    return differences(shown_plan(found, applied.fence, applied.objects))


def _is_edited(
    place: TargetSite, reports: tuple[ListReport, ...], generation: Generation | None
) -> bool | None:
    if generation is None:
        return None
    try:
        return desired(place, spaces(reports)).recorded != generation.ruleset
    except MissingListError:
        return True


def _services(fence: ClusterFence) -> list[ServiceStatus]:
    return [
        ServiceStatus(name, _ports(group, name), Count(0, 0), group.observe)
        for group in fence.groups
        for name in group.names
    ]


def _ports(group: FenceGroup, name: str) -> tuple[str, ...]:
    return tuple(
        str(each) for service in group.services if service.name == name for each in service.ports
    )
