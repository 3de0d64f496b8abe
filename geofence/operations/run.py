"""What changes the kernel: refresh, apply, restore, remove."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from geofence.apply import apply_ruleset
from geofence.backends import registry
from geofence.backends.choose import Chosen
from geofence.backends.interface import Backend
from geofence.errors import BackendUnavailable, StateError
from geofence.merge import closed, merge
from geofence.model.generation import Generation, ListNote
from geofence.model.lists import ListKind
from geofence.model.plan import Observed, Plan
from geofence.model.policy import BackendChoice, WithoutRuleset
from geofence.model.report import ListReport, RunReport
from geofence.model.ruleset import Ruleset
from geofence.operations.gather import Watch, fetched, spaces, stored, unwatched
from geofence.operations.site import Site
from geofence.state.files import clean_debris, ensure_private_directory
from geofence.state.lock import exclusive


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run is for and what it may do."""

    reason: str
    """The command, as a person would name it."""
    accept: Collection[str] = ()
    """Tokens of guards that the operator overrides."""


def refresh(site: Site, wish: Wish, watch: Watch = unwatched) -> RunReport:
    """Fetch the lists, then apply: what runs daily.

    The network is asked before the lock is taken, so that nobody waits for a slow server.
    """
    ensure_private_directory(site.state_directory)
    gathered = fetched(site, site.policy(), tuple(ListKind), watch)
    with exclusive(site.state_directory, site.lock_seconds):
        gathered.store(site)
        return with_notes(apply_rules(site, wish, gathered.reports), gathered.notes)


def apply(site: Site, wish: Wish) -> RunReport:
    """Apply the rules with the lists at hand, without the network."""
    ensure_private_directory(site.state_directory)
    with exclusive(site.state_directory, site.lock_seconds):
        return apply_rules(site, wish)


def apply_rules(site: Site, wish: Wish, fresh: tuple[ListReport, ...] = ()) -> RunReport:
    """Apply what the rules say now; the caller holds the lock.

    The rules are read under the lock: an ``allow`` that came while lists were fetched counts.

    Args:
        site: the installation.
        wish: what for.
        fresh: lists that this run has dealt with already.
    """
    clean_debris(site.state_directory)
    policy = site.policy()
    reports = stored(site, policy, {report.id: report for report in fresh})
    desired = merge(policy, spaces(reports))
    return _commit(site, wish, site.choose_backend(policy.backend), desired, reports)


def with_notes(report: RunReport, notes: tuple[str, ...]) -> RunReport:
    """The report with more to tell."""
    return replace(report, notes=(*notes, *report.notes))


def _commit(
    site: Site,
    wish: Wish,
    chosen: Chosen,
    desired: Ruleset,
    reports: tuple[ListReport, ...],
) -> RunReport:
    applied = apply_ruleset(chosen.backend, desired)
    number, notes = _record(site, wish, chosen.backend, desired, reports)
    replaced = tuple(
        f"The fence of the backend {name} was taken away." for name in applied.replaced
    )
    problems = tuple(report.problem for report in reports if report.problem)
    return RunReport(
        plan=applied.plan,
        backend=chosen.why,
        generation=number,
        lists=reports,
        notes=(*problems, *replaced, *notes),
        degraded=bool(problems) or number is None,
    )


def _record(
    site: Site, wish: Wish, backend: Backend, desired: Ruleset, reports: tuple[ListReport, ...]
) -> tuple[int | None, tuple[str, ...]]:
    """Record what the kernel was found to hold, unless the newest generation says the same."""
    newest, damaged = site.generations.newest()
    notes = tuple(str(found) for found in damaged)
    if newest and newest.ruleset == desired and newest.backend == backend.name and not damaged:
        return newest.number, notes
    number = max(site.generations.numbers(), default=0) + 1
    generation = Generation(
        number, datetime.now(UTC), wish.reason, backend.name, desired, tuple(_notes(reports))
    )
    try:
        site.generations.record(generation)
    except StateError as error:
        unrecorded = "The fence is applied but not recorded: a reboot brings back the one before."
        return None, (*notes, f"{unrecorded} {error}")
    return number, notes


def _notes(reports: tuple[ListReport, ...]) -> list[ListNote]:
    return [
        ListNote(str(report.id), report.checked_at, report.provenance[0].sha256)
        for report in reports
        if report.checked_at is not None
    ]


def restore(site: Site) -> RunReport:
    """Apply the last good generation: no network, no lists, no writable disk.

    With none usable, ``[boot] without_ruleset`` decides.
    """
    if not site.state_directory.is_dir():
        return _without_ruleset(site, ())
    with exclusive(site.state_directory, site.lock_seconds):
        generation, damaged = site.generations.newest()
        notes = tuple(str(found) for found in damaged)
        if generation is None:
            return _without_ruleset(site, notes)
        chosen = _choose_again(site, generation)
        applied = apply_ruleset(chosen.backend, generation.ruleset)
        return RunReport(
            applied.plan, chosen.why, generation.number, notes=notes, degraded=bool(damaged)
        )


def _choose_again(site: Site, generation: Generation) -> Chosen:
    """The backend that held the generation, or any that works if that one no longer can."""
    try:
        return site.choose_backend(BackendChoice(generation.backend))
    except BackendUnavailable:
        return site.choose_backend(BackendChoice.AUTO)


def _without_ruleset(site: Site, notes: tuple[str, ...]) -> RunReport:
    policy = site.policy()
    chosen = site.choose_backend(policy.backend)
    found = f"No usable generation is in {site.state_directory}; [boot] without_ruleset = "
    if policy.without_ruleset is WithoutRuleset.OPEN:
        said = f"{found}\"open\": there is NO FENCE. Run 'geofence refresh' now."
        nothing = Plan(Ruleset(), Observed())
        return RunReport(nothing, chosen.why, notes=(*notes, said), degraded=True)
    said = (
        f'{found}"closed": only exceptions and local networks reach the fenced services. '
        "Run 'geofence refresh' now."
    )
    applied = apply_ruleset(chosen.backend, closed(policy))
    return RunReport(applied.plan, chosen.why, notes=(*notes, said), degraded=True)


def remove(site: Site) -> tuple[str, ...]:
    """Take all of geofence out of the kernel, whichever backend put it there; their names."""
    if not site.state_directory.is_dir():
        return _removed()
    with exclusive(site.state_directory, site.lock_seconds):
        return _removed()


def _removed() -> tuple[str, ...]:
    found: list[str] = []
    missing: list[BackendUnavailable] = []
    for name in registry.MODULES:
        try:
            if registry.load(name).remove():
                found.append(name)
        except BackendUnavailable as error:
            missing.append(error)
    if len(missing) == len(registry.MODULES):
        raise missing[0]
    return tuple(found)
