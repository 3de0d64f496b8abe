"""``apply``: bring the rules into the kernel with the lists on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from geofence.allowed.active_exceptions import never_resolved, outside_pins
from geofence.allowed.timed import timed_prefixes
from geofence.merge import blocked, merge
from geofence.model.frozen import replace
from geofence.model.generation import ListNote
from geofence.model.lists import ListId
from geofence.model.notes import problem
from geofence.operations.blocklist_notes import newly_left_out
from geofence.operations.commit import Wish, check_overrides, commit, holding
from geofence.operations.lists import (
    spaces,
    stale,
    stored,
    switched_for_nothing,
    unchanging,
    unread,
)
from geofence.operations.report import ListReport, RunReport
from geofence.operations.rules_of_run import rules_of_run
from geofence.operations.site import Site
from geofence.routing.routes import read_places
from geofence.state.versions import History


def apply(site: Site, wish: Wish) -> RunReport:
    """Apply the rules with the lists at hand, without the network.

    Raises:
        UsageError: an override has an unknown check or list.
    """
    with holding(site):
        return apply_rules(site, wish)


def apply_rules(
    site: Site,
    wish: Wish,
    fresh: tuple[ListReport, ...] = (),
    histories: Mapping[ListId, History] | None = None,
) -> RunReport:
    """Apply what the rules say now; the caller holds the lock.

    The rules are read under the lock: an ``allow`` that came while lists were fetched counts.

    Args:
        site: the installation.
        wish: what for.
        fresh: lists that this run has dealt with already.
        histories: of lists, if they were read or written under the lock; the latest version each.

    Raises:
        UsageError: an override has an unknown check or list.
    """
    known = histories or {}
    asterisk = rules_of_run(site, wish.accept)
    policy = asterisk.policy
    check_overrides(policy, wish.accept)
    reports = stored(site, policy, {report.id: report for report in fresh})
    lists = spaces(reports)
    desired = merge(policy, lists, read_places())
    newest = site.generations.newest()
    chosen = site.choose_backend(policy.backend, newest[0])
    denied = blocked(policy, lists)
    timed = timed_prefixes(policy, lists, datetime.now(UTC))
    report = commit(
        site, wish, chosen, desired, noted(reports), denied=denied, timed=timed, newest=newest
    )
    problems = tuple(problem(each.problem, str(each.id)) for each in reports if each.problem)
    notes = (
        *asterisk.notes,
        *asterisk.store(site),
        *unread(policy),
        *switched_for_nothing(policy),
        *never_resolved(policy.enabled_exceptions(), lists),
        *outside_pins(policy.enabled_exceptions(), lists),
        *stale(policy, reports, datetime.now(UTC)),
        *unchanging(reports, lambda name: known.get(name) or site.versions.load(name)),
        *newly_left_out(policy, reports),
    )
    return replace(
        report,
        lists=reports,
        notes=(*problems, *report.notes, *notes),
        degraded=report.degraded or bool(problems) or asterisk.degraded,
    )


def noted(reports: Iterable[ListReport]) -> tuple[ListNote, ...]:
    """Return the versions of lists that a generation is made of."""
    known = tuple(reports)
    used = tuple(
        ListNote(str(report.id), report.checked_at, report.provenance[0].sha256)
        for report in known
        if report.checked_at is not None
    )
    # So that such a name is followed as soon as it resolves (see ``names``).
    now = datetime.now(UTC)
    unresolved = (each.id for each in known if each.is_absent and each.id.kind.is_from_dns)
    return (*used, *(ListNote(str(name), now, "") for name in unresolved))
