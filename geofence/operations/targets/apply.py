"""``apply`` and ``refresh`` with ``--target``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from geofence.allowed.active_exceptions import never_resolved, outside_pins
from geofence.model.lists import ListKind
from geofence.model.notes import Note, NoteKind, problem
from geofence.operations.apply import noted
from geofence.operations.blocklist_notes import newly_left_out
from geofence.operations.commit import Wish, check_overrides
from geofence.operations.lists import (
    Watch,
    fetched,
    spaces,
    stale,
    stored,
    switched_for_nothing,
    unchanging,
    unread,
    unwatched,
)
from geofence.operations.report import ListReport, RunReport
from geofence.operations.targets.commit import commit_to_cluster, damaged_notes
from geofence.operations.targets.desired import desired
from geofence.operations.targets.site import TargetSite
from geofence.state.files import ensure_private_directory
from geofence.state.lock import exclusive


def apply_to_cluster(
    place: TargetSite, wish: Wish, fresh: tuple[ListReport, ...] = ()
) -> RunReport:
    """Apply the rules to a cluster with the lists at hand, or with those of this run.

    Raises:
        UsageError: an override has an unknown check or list.
        BusyError: another run for this target goes on.
    """
    check_overrides(place.policy, wish.accept)
    with place.holding():
        reports = stored(place.main, place.policy, {report.id: report for report in fresh})
        wanted = desired(place, spaces(reports))
        damaged = damaged_notes(place)
        report = commit_to_cluster(place, wish, wanted, noted(reports))
    problems = (*damaged, *_problems(reports))
    return replace(
        report,
        lists=reports,
        notes=(
            *problems,
            *report.notes,
            *nothing_fenced(place),
            *list_notes(place, reports),
            *newly_left_out(place.policy, reports),
        ),
        degraded=report.degraded or bool(problems),
    )


def refresh_cluster(place: TargetSite, wish: Wish, watch: Watch = unwatched) -> RunReport:
    """Download the lists, then apply the rules to a cluster: what a CronJob runs daily.

    Raises:
        UsageError: an override has an unknown check or list.
        BusyError: another run goes on.
    """
    check_overrides(place.policy, wish.accept)  # nothing is to be downloaded for a slip
    main = place.main
    ensure_private_directory(main.state_directory)
    gathered = fetched(main, place.policy, tuple(ListKind), wish.accept, watch)
    with exclusive(main.state_directory, main.lock_seconds):
        main.tidy()
        gathered.store(main)
    report = apply_to_cluster(place, wish, gathered.reports)
    told = report.with_notes((*gathered.notes, *gathered.news))
    return replace(told, news=gathered.news)


def list_notes(place: TargetSite, reports: tuple[ListReport, ...]) -> tuple[Note, ...]:
    """Return notes on rules and lists that hold for a cluster as for a host."""
    policy, lists = place.policy, {each.id: each.space for each in reports if not each.is_absent}
    return (
        *unread(policy),
        *switched_for_nothing(policy),
        *never_resolved(policy.enabled_exceptions(), lists),
        *outside_pins(policy.enabled_exceptions(), lists),
        *stale(policy, reports, datetime.now(UTC)),
        *unchanging(reports, place.main.versions.load),
    )


def nothing_fenced(place: TargetSite) -> tuple[Note, ...]:
    """Return a note if the rules fence no service by this target."""
    if any(place.target.fences(each.name) for each in place.policy.services):
        return ()
    return (Note(NoteKind.NO_SERVICE_ENABLED),)


def _problems(reports: Iterable[ListReport]) -> tuple[Note, ...]:
    return tuple(problem(each.problem, str(each.id)) for each in reports if each.problem)
