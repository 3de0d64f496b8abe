"""What needs neither network nor lists: restore, and its opposite, remove."""

from __future__ import annotations

from contextlib import suppress

from geofence.apply import apply_ruleset, remove_all
from geofence.errors import BusyError
from geofence.merge import closed
from geofence.model.plan import Observed, Plan
from geofence.model.policy import WithoutRuleset
from geofence.model.ruleset import Ruleset
from geofence.operations.live import let_in_again
from geofence.operations.probation import settle
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.state.lock import exclusive


def restore(site: Site) -> RunReport:
    """Apply the last good generation: no network, no lists, no writable disk.

    With none usable, ``[boot] without_ruleset`` decides.
    """
    if not site.state_directory.is_dir():
        return _without_ruleset(site, ())
    with exclusive(site.state_directory, site.lock_seconds):
        site.tidy()
        with suppress(BusyError):  # what waits to be confirmed is meant to be in force for now
            settle(site)
        generation, damaged = site.generations.newest()
        notes = tuple(str(found) for found in damaged)
        if generation is None:
            return _without_ruleset(site, notes)
        chosen = site.choose_again(generation)
        applied = apply_ruleset(chosen.backend, generation.ruleset)
        if not applied.plan.is_empty:
            notes = (*notes, *let_in_again(generation.ruleset))
        return RunReport(
            applied.plan, chosen.why, generation.number, notes=notes, degraded=bool(damaged)
        )


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
        site.journal.end_probation()
        return _removed()


def _removed() -> tuple[str, ...]:
    names = remove_all()
    if names:
        let_in_again(None)
    return names
