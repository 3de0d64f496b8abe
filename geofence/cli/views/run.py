"""What a run did, as text and as JSON, and its exit code."""

from __future__ import annotations

import typer

from geofence.cli.views.fence import fence_json, no_fence
from geofence.cli.views.lists import list_json
from geofence.errors import ExitCode
from geofence.model.plan import SetChange
from geofence.operations.report import RunReport
from geofence.screen import Screen, print_json
from geofence.wording import addresses, plural


def finish(screen: Screen, report: RunReport, *, as_json: bool, reminder: str = "") -> None:
    """Print what was done, and what is left to do, and end with the run's exit code."""
    for note in report.notes:
        screen.note(note, "yellow")
    if as_json:
        print_json(run_json(report))
    else:
        show_run(screen, report)
    if reminder:
        screen.note(reminder)
    if report.degraded:
        raise typer.Exit(ExitCode.DEGRADED)


def show_run(screen: Screen, report: RunReport) -> None:
    """A line for each set that changed, and one that closes."""
    for change in report.plan.set_changes:
        screen.say(f"{change.key.name}: {_set_change(change)}")
    if report.plan.rules_differ:
        added, removed = len(report.plan.rules_added), len(report.plan.rules_removed)
        screen.say(f"rules: {added:,} added, {removed:,} removed")
    if report.impact is not None:
        # Not at the top: restore at boot looks at no live flows, and should not wait for it.
        from geofence.cli.views.flows import show_impact

        show_impact(screen, report.impact)
    style = "bold red" if report.unfenced else "yellow" if report.degraded else "green"
    screen.say(_closing_line(report), style)


def run_json(report: RunReport) -> dict[str, object]:
    """The run for machines."""
    from geofence.cli.views.flows import impact_json

    plan = report.plan
    return {
        "changed": not plan.is_empty,
        "degraded": report.degraded,
        "backend": report.backend,
        "generation": report.generation,
        **fence_json(report.unfenced),
        "sets": [
            {
                "set": change.key.name,
                "addresses_added": change.added.size,
                "addresses_removed": change.removed.size,
            }
            for change in plan.set_changes
        ],
        "rules": {"added": list(plan.rules_added), "removed": list(plan.rules_removed)},
        "lists": [list_json(entry) for entry in report.lists],
        "live": impact_json(report.impact),
        "notes": list(report.notes),
    }


def _set_change(change: SetChange) -> str:
    family = change.key.family
    if change.after is None:
        return "removed"
    added, removed = (addresses(family, part.size) for part in (change.added, change.removed))
    held = plural(change.after.prefix_count, "prefix", "prefixes")
    return f"+{added} -{removed} addresses, now {held}"


def _closing_line(report: RunReport) -> str:
    if report.unfenced:
        what = no_fence(report.unfenced)
    elif report.generation is None:
        what = "The fence stands, but not as recorded"
    elif report.plan.is_empty:
        what = f"Nothing to change: the fence is that of generation {report.generation}"
    else:
        what = f"The fence is now that of generation {report.generation}, verified in the kernel"
    return f"{what} ({report.backend})."
