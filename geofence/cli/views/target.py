"""The fence in a cluster, as text and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime

from geofence.cli.views.allowed import allowed_json, allowed_lines
from geofence.cli.views.fence import applied_text
from geofence.cli.views.lists import list_json, list_rows
from geofence.operations.targets.status import TargetStatus
from geofence.screen import Screen
from geofence.sentences import note_json, sentence
from geofence.sentences.backends import backend_json, backend_text
from geofence.sentences.drift import difference_json, difference_text, drift_summary
from geofence.state.outcomes import Ended, Ending
from geofence.translation import english, tr
from geofence.wording import age


def show_target(screen: Screen, report: TargetStatus, *, full: bool) -> None:
    """Print the state of the fence, its generation, services and lists."""
    now = datetime.now(UTC)
    screen.say(*headline(report))
    for line in map(difference_text, report.drift) if full else drift_summary(report.drift):
        screen.say(f"  {line}", "red")
    _show_generation(screen, report, now)
    if report.last:
        screen.say(_ended(report.last, now))
    for line in allowed_lines(report.allowed):
        screen.say(line)
    if report.services:
        rows = ((each.name, " ".join(each.ports)) for each in report.services)
        screen.table((tr("service"), tr("ports")), rows)
    if report.sets and full:
        sets = ((name, f"{number:,}") for name, number in report.sets.items())
        screen.table((tr("set"), ">" + tr("prefixes")), sets)
    if full:
        for name in report.objects:
            screen.say(f"  {name}")
    if report.lists:
        screen.table(*list_rows(report.lists, now, full=full))
    for note in (*report.stale, *report.notes):
        screen.note(sentence(note), "yellow")


def headline(report: TargetStatus) -> tuple[str, str]:
    """Return the state in one line, and its style."""
    if not report.fenced:
        said = tr("NO FENCE in the cluster of {target}: everybody gets in.", target=report.target)
        return said, "bold red"
    if report.generation is None:
        said = tr(
            "The cluster of {target} has a fence, of which no generation is recorded here.",
            target=report.target,
        )
        return said, "bold yellow"
    if report.drift:
        said = tr(
            "The fence of {target} DIFFERS from what was applied. 'geofence apply --target "
            "{target}' repairs it.",
            target=report.target,
        )
        return said, "bold red"
    return tr("The fence of {target} is up, as it was applied.", target=report.target), "green"


def _show_generation(screen: Screen, report: TargetStatus, now: datetime) -> None:
    if report.applied_at:
        screen.say(applied_text(report.generation, report.applied_at, report.reason, now))
    if report.rules_edited:
        edited = tr(
            "The rules, lists or bans on disk differ from what was applied. 'geofence plan "
            "--offline --target {target}' shows the difference.",
            target=report.target,
        )
        screen.say(edited, "bold yellow")
    screen.say(tr("Backend: {backend}", backend=backend_text(report.backend)))


def _ended(run: Ended, now: datetime) -> str:
    ending = {
        Ending.DONE: tr("done"),
        Ending.DEGRADED: tr("degraded"),
        Ending.REFUSED: tr("refused"),
        Ending.FAILED: tr("failed"),
    }[run.ending]
    return tr(
        "{what} ({command}): {ending} {age}. {message}",
        what=tr("Last run"),
        command=run.command,
        ending=ending,
        age=age(run.at, now),
        message=run.message,
    ).rstrip()


def target_json(report: TargetStatus) -> dict[str, object]:
    """Return the state for scripts; times are UTC."""
    last = report.last
    return {
        "target": report.target,
        "fence": report.fenced,
        "objects": list(report.objects),
        "drift": [english(difference_text(each)) for each in report.drift],
        "drift_facts": [difference_json(each) for each in report.drift],
        **backend_json(report.backend),
        "generation": report.generation,
        "applied_at": report.applied_at.isoformat() if report.applied_at else None,
        "reason": report.reason,
        "services": [
            {"service": each.name, "ports": list(each.ports), "observed": each.observed}
            for each in report.services
        ],
        "sets": dict(report.sets),
        "rules_edited": report.rules_edited,
        "allowed": allowed_json(report.allowed),
        "last_run": {
            "command": last.command,
            "ending": last.ending.value,
            "at": last.at.isoformat(),
            "message": last.message,
        }
        if last
        else None,
        "lists": [list_json(entry) for entry in report.lists],
        "stale": [english(sentence(note)) for note in report.stale],
        "stale_facts": [note_json(note) for note in report.stale],
        "notes": [english(sentence(note)) for note in report.notes],
        "note_facts": [note_json(note) for note in report.notes],
    }
