"""The state of the fence, as text and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime

from geofence.cli.fence_view import fence_json, no_fence
from geofence.cli.list_view import list_json, list_rows
from geofence.cli.screen import Screen
from geofence.figures import age, moment
from geofence.model.policy import besides_loopback
from geofence.model.prefixes import address_text
from geofence.operations.report import StatusReport
from geofence.state.journal import Ended, Outcome, Probation

_TOLD_BY_RULES = ("exceptions", "exceptions_waiting", "exceptions_off", "lists", "stale")


def show_status(screen: Screen, report: StatusReport) -> None:
    """Whether the fence stands, what it turned away, and how old its lists are."""
    now = datetime.now(UTC)
    screen.say(*_headline(report))
    screen.say(f"Backend: {report.backend}")
    if report.applied_at:
        screen.say(
            f"Generation {report.generation}, applied {age(report.applied_at, now)} "
            f"({moment(report.applied_at)}) by {report.reason}"
        )
    if report.probation:
        screen.say(_probation(report.probation, over=report.probation_over), "bold yellow")
    if report.last:
        _show_runs(screen, report.last, now)
    if report.wrong_rules:
        unknown = "The rules do not load, so nothing is known of exceptions and lists."
        screen.say(unknown, "bold yellow")
    else:
        _show_exceptions(screen, report)
    _show_trusted(screen, report)
    for line in report.drift:
        screen.say(f"  {line}", "red")
    screen.say("")
    screen.table(
        ("service", "ports", ">packets dropped", ">octets"),
        (
            (s.name, " ".join(s.ports), f"{s.dropped.packets:,}", f"{s.dropped.octets:,}")
            for s in report.services
        ),
    )
    screen.say("")
    screen.table(("set", ">prefixes"), ((name, f"{n:,}") for name, n in report.sets.items()))
    if not report.wrong_rules:
        screen.say("")
        screen.table(*list_rows(report.lists, now))
    for note in (*report.stale, *report.notes):
        screen.note(note, "yellow")


def status_json(report: StatusReport) -> dict[str, object]:
    """The state for machines; times are UTC."""
    told = _status_json(report)
    return told | dict.fromkeys(_TOLD_BY_RULES) if report.wrong_rules else told


def _status_json(report: StatusReport) -> dict[str, object]:
    return {
        **fence_json(report.unfenced),
        "drift": list(report.drift),
        "rules_error": str(report.wrong_rules) if report.wrong_rules else None,
        "backend": report.backend,
        "generation": report.generation,
        "applied_at": report.applied_at.isoformat() if report.applied_at else None,
        "reason": report.reason,
        "services": [
            {
                "service": service.name,
                "ports": list(service.ports),
                "packets_dropped": service.dropped.packets,
                "octets_dropped": service.dropped.octets,
            }
            for service in report.services
        ],
        "interfaces": list(report.interfaces),
        "local_networks": list(map(str, report.local)),
        "crowd": _crowd_json(report),
        "sets": dict(report.sets),
        "exceptions": list(report.exceptions.names),
        "exceptions_waiting": [
            {"exception": each.name, "why": each.why} for each in report.exceptions.waiting
        ],
        "exceptions_off": list(report.exceptions_off),
        "last_run": _last_json(report.last),
        "probation": {
            "deadline": report.probation.deadline.isoformat(),
            "former": report.probation.former,
            "over": report.probation_over,
        }
        if report.probation
        else None,
        "lists": [list_json(entry) for entry in report.lists],
        "stale": list(report.stale),
        "notes": list(report.notes),
    }


_MOST_NETWORKS = 6
"""Networks that a line names; a container platform may have hundreds."""


def _show_trusted(screen: Screen, report: StatusReport) -> None:
    if besides_loopback(report.interfaces):
        screen.say(f"Trusted interfaces, never fenced: {', '.join(report.interfaces)}")
    if report.local:
        screen.say(f"Local networks, each let in by its interface: {_local(report)}")
    if report.crowd:
        screen.note(str(report.crowd), "bold yellow")


def _local(report: StatusReport) -> str:
    named = ", ".join(map(str, report.local[:_MOST_NETWORKS]))
    more = len(report.local) - _MOST_NETWORKS
    return f"{named} and {more} more" if more > 0 else named


def _crowd_json(report: StatusReport) -> dict[str, object] | None:
    crowd = report.crowd
    if crowd is None:
        return None
    source = address_text(crowd.family, crowd.address)
    return {"address": source, "flows": crowd.flows, "of": crowd.of, "share": crowd.share}


def _probation(probation: Probation, *, over: bool) -> str:
    """What will be in force unless somebody confirms."""
    before = "no fence" if probation.former is None else f"generation {probation.former}"
    if over:
        return (
            f"What was applied last was not confirmed in time: {before} returns with the next run."
        )
    return (
        f"What was applied last waits for 'geofence confirm' until {probation.deadline:%H:%M:%S} "
        f"UTC; without it, {before} returns."
    )


def _show_runs(screen: Screen, last: Outcome, now: datetime) -> None:
    """How the last run ended, and what went wrong before it and is not over."""
    _show_ended(screen, "Last run", last, now)
    for bad in last.unresolved:
        if (bad.command, bad.at) != (last.command, last.at):
            _show_ended(screen, "Not over yet", bad, now, "yellow")
    if last.healed_at:
        screen.say(
            f"Changes by others put right by the daemon: {last.healed}, the last "
            f"{age(last.healed_at, now)}"
        )
    if last.failing:
        screen.say(f"The daemon cannot put the fence right: {last.failing}", "bold red")


def _show_ended(screen: Screen, what: str, run: Ended, now: datetime, style: str = "") -> None:
    line = f"{what} ({run.command}): {run.ending} {age(run.at, now)}. {run.message}"
    screen.say(line.rstrip(), style)


def _show_exceptions(screen: Screen, report: StatusReport) -> None:
    names, waiting = report.exceptions.names, report.exceptions.waiting
    screen.say(f"Exceptions in force: {', '.join(names) or 'none'}")
    for each in waiting:
        screen.say(f"Exception {each.name}: allowed but not in force ({each.why})", "yellow")
    if report.exceptions_off:
        screen.say(f"Exceptions that are off: {', '.join(report.exceptions_off)}")
    for name in names:
        if name in report.exceptions_off:
            why = "off in the rules but still in force; 'geofence apply' ends that"
            screen.say(f"Exception {name}: {why}", "yellow")


def _last_json(last: Outcome | None) -> dict[str, object] | None:
    if last is None:
        return None
    return {
        **_ended_json(last),
        "healed": last.healed,
        "healed_at": last.healed_at.isoformat() if last.healed_at else None,
        "failing": last.failing,
        "unresolved": [_ended_json(bad) for bad in last.unresolved],
    }


def _ended_json(run: Ended) -> dict[str, object]:
    return {
        "command": run.command,
        "ending": str(run.ending),
        "at": run.at.isoformat(),
        "message": run.message,
    }


def _headline(report: StatusReport) -> tuple[str, str]:
    if report.unfenced:
        return f"{no_fence(report.unfenced)}. 'geofence refresh' makes one.", "bold red"
    if report.drift:
        return "The fence is not what was applied; 'geofence apply' heals it:", "bold red"
    if report.generation is None:
        return "A fence stands that no generation on this disk records.", "bold yellow"
    if not report.services:
        return "The fence stands as it was applied, but it fences NO SERVICE.", "bold yellow"
    return "The fence stands as it was applied.", "bold green"
