"""A run as text and as JSON, and its exit code."""

from __future__ import annotations

from geofence.cli.views.fence import fence_json, no_fence, observed_text
from geofence.errors import ExitCode
from geofence.model.plan import SetChange
from geofence.operations.report import RunReport
from geofence.screen import Screen, print_json
from geofence.sentences.backends import backend_json, backend_text
from geofence.translation import english, tr, trn
from geofence.wording import addresses


def finish(screen: Screen, report: RunReport, *, as_json: bool, reminder: str = "") -> None:
    """Print what was done and what is left to do, and end with the run's exit code."""
    _print_notes(screen, report)
    if as_json:
        print_json(run_json(report))
    else:
        show_run(screen, report)
    if reminder:
        screen.note(reminder)
    _end(report)


def reminder(seconds: int) -> str:
    """Return what is left to do after a run that must be confirmed; nothing for 0 seconds."""
    if not seconds:
        return ""
    return tr(
        "Run 'geofence confirm' within {seconds} s. Otherwise the previous fence is restored.",
        seconds=seconds,
    )


def tell_notes(screen: Screen, report: RunReport) -> None:
    """Print only what happened beside, and end with the run's exit code."""
    _print_notes(screen, report)
    _end(report)


def _print_notes(screen: Screen, report: RunReport) -> None:
    if not report.notes:
        return
    from geofence.sentences import sentence

    for note in report.notes:
        screen.note(sentence(note), "yellow")


def _end(report: RunReport) -> None:
    if report.degraded:
        raise SystemExit(ExitCode.DEGRADED)


def show_run(screen: Screen, report: RunReport) -> None:
    """Print a line for each set that changed, and a closing line."""
    for change in report.plan.content_changes:
        screen.say(f"{change.key.name}: {_set_change(change)}")
    if report.plan.rules_differ:
        added, removed = len(report.plan.rules_added), len(report.plan.rules_removed)
        if report.backend.target:
            changed = tr("objects: {added} added, {removed} removed", added=added, removed=removed)
        else:
            changed = tr("rules: {added} added, {removed} removed", added=added, removed=removed)
        screen.say(changed)
    if report.impact is not None:
        # Imported here: restore at boot reads no live flows, and should not wait for the module.
        from geofence.cli.views.flows import show_impact

        show_impact(screen, report.impact)
    style = "bold red" if report.unfenced else "yellow" if report.degraded else "green"
    screen.say(_closing_line(report), style)


def run_json(report: RunReport) -> dict[str, object]:
    """Return the run for scripts."""
    from geofence.cli.views.flows import impact_json
    from geofence.cli.views.lists import list_json
    from geofence.sentences import note_json, sentence

    plan = report.plan
    return {
        "changed": report.timed_changed or not plan.is_empty,
        "degraded": report.degraded,
        **backend_json(report.backend),
        "generation": report.generation,
        **fence_json(report.unfenced),
        "observed": list(plan.desired.observed),
        "sets": [
            {
                "set": change.key.name,
                "addresses_added": change.added.size,
                "addresses_removed": change.removed.size,
            }
            for change in plan.content_changes
        ],
        "rules": {"added": list(plan.rules_added), "removed": list(plan.rules_removed)},
        "lists": [list_json(entry) for entry in report.lists],
        "live": impact_json(report.impact),
        "notes": [english(sentence(note)) for note in report.notes],
        "note_facts": [note_json(note) for note in report.notes],
    }


def _set_change(change: SetChange) -> str:
    family = change.key.family
    if change.after is None:
        return tr("removed")
    added, removed = (addresses(family, part.size) for part in (change.added, change.removed))
    held = trn(change.after.prefix_count, "{number} prefix", "{number} prefixes")
    return tr(
        "+{added} -{removed} addresses, now {prefixes}", added=added, removed=removed, prefixes=held
    )


def _closing_line(report: RunReport) -> str:
    line, observed = _done(report), report.plan.desired.observed
    if not observed or report.unfenced:
        return line
    # Translators: {done} is a sentence on what was applied.
    return tr("{done} {observed}", done=line, observed=observed_text(observed))


def _done(report: RunReport) -> str:
    backend, number = backend_text(report.backend), report.generation
    if report.unfenced:
        return tr("{warning} ({backend}).", warning=no_fence(report.unfenced), backend=backend)
    if number is None:
        return tr("The fence is up, but this state is not saved ({backend}).", backend=backend)
    if report.plan.is_empty and report.timed_changed:
        return tr(
            "The exceptions with an end have changed. The rest of the fence is that of generation "
            "{number} ({backend}).",
            number=number,
            backend=backend,
        )
    if report.plan.is_empty:
        return tr(
            "Nothing to change: the fence is that of generation {number} ({backend}).",
            number=number,
            backend=backend,
        )
    if report.backend.target:
        return tr(
            "The fence is now that of generation {number}, read back from the cluster ({backend}).",
            number=number,
            backend=backend,
        )
    return tr(
        "The fence is now that of generation {number}, verified in the kernel ({backend}).",
        number=number,
        backend=backend,
    )
