"""``restore`` and ``rollback`` with ``--target``: recorded fences, without asking list sources."""

from __future__ import annotations

from dataclasses import replace

from geofence.errors import UsageError
from geofence.model.generation import Generation
from geofence.model.notes import Note, NoteKind, problem
from geofence.operations.commit import Wish
from geofence.operations.report import RunReport
from geofence.operations.rollback import to_roll_back_to
from geofence.operations.targets.commit import commit_to_cluster
from geofence.operations.targets.desired import restored
from geofence.operations.targets.site import TargetSite
from geofence.translation import tr


def restore_cluster(place: TargetSite, wish: Wish) -> RunReport:
    """Bring the last good generation back into a cluster.

    Raises:
        UsageError: none can be used.
    """
    with place.holding():
        generation, damaged = place.own.generations.newest()
        if generation is None:
            raise UsageError(_nothing(place, [str(each) for each in damaged]))
        report = _brought_back(place, wish, generation)
    notes = tuple(problem(str(each)) for each in damaged)
    return replace(report, degraded=report.degraded or bool(notes)).with_notes(notes)


def rollback_cluster(place: TargetSite, number: int | None, wish: Wish) -> RunReport:
    """Apply an earlier generation to a cluster, with the same checks as any run.

    Args:
        place: the target.
        number: of the generation; None for the one before the current.
        wish: what for.

    Raises:
        UsageError: the generation does not exist or cannot be used.
    """
    with place.holding():
        generation = to_roll_back_to(place.own, number)
        origin = generation.restores or generation.number
        report = _brought_back(place, replace(wish, restores=origin), generation)
    return report.with_notes((Note(NoteKind.ROLLED_BACK, "", {"generation": origin}),))


def _brought_back(place: TargetSite, wish: Wish, generation: Generation) -> RunReport:
    return commit_to_cluster(place, wish, restored(place, generation), generation.lists)


def _nothing(place: TargetSite, damaged: list[str]) -> str:
    nothing = tr(
        "Nothing to restore: no generation of the target {target} can be used. Run "
        "'geofence refresh --target {target}'.",
        target=place.target.name,
    )
    return " ".join((*damaged, nothing))
