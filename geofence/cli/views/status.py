"""The state of the fence, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from geofence.cli.views.fence import fence_json, no_fence
from geofence.cli.views.lists import list_json, list_rows
from geofence.cli.views.notes import other_rules_json, sources_json, status_notes
from geofence.model.policy import besides_loopback
from geofence.model.prefixes import Family, address_text
from geofence.operations.report import ListReport, StatusReport
from geofence.screen import Screen
from geofence.state.outcomes import Ended, Probation, RunOutcome
from geofence.wording import age, moment, span

_TOLD_BY_RULES = ("exceptions", "exceptions_waiting", "exceptions_off", "lists", "stale")


_WIDTH = 80
"""Columns of a screen that shows each line as one."""
_MOST_LISTS = 8
"""Lists that are shown one by one; a host with names of many trunks has more."""
_MOST_DIFFERENCES = 3


def show_status(screen: Screen, report: StatusReport, *, full: bool = False) -> None:
    """Whether the fence stands, what it turned away, how old its lists are; the verdict again."""
    now = datetime.now(UTC)
    screen.say(*_headline(report))
    _show_differences(screen, report, full=full)
    _show_generation(screen, report, now)
    if report.probation:
        screen.say(_probation(report.probation, over=report.probation_over), "bold yellow")
    if report.last:
        _show_runs(screen, report.last, now)
    if report.wrong_rules:
        unknown = "The rules do not load, so nothing is known of exceptions and lists."
        screen.say(unknown, "bold yellow")
    else:
        _show_exceptions(screen, report, full=full)
    _show_trusted(screen, report)
    _show_services(screen, report, now)
    if full:
        _show_kernel(screen, report)
    if not report.wrong_rules:
        _show_lists(screen, report, now, full=full)
    for note in status_notes(report):
        screen.note(note, "yellow")
    screen.say(*_headline(report))


def _show_differences(screen: Screen, report: StatusReport, *, full: bool) -> None:
    if len(report.unfenced) == len(Family) and not full:
        return  # all of it differs
    known = report.drift
    # Sets come first and what a killed run left last; rules between them may be a hundred.
    shown = known if full or len(known) <= _MOST_DIFFERENCES else (*known[:2], known[-1])
    for line in shown:
        screen.say(f"  {line}", "red")
    if len(shown) < len(report.drift):
        more = len(report.drift) - len(shown)
        screen.say(f"  and {more:,} more ('geofence status --full' shows them)", "red")


def _show_generation(screen: Screen, report: StatusReport, now: datetime) -> None:
    if report.applied_at:
        screen.say(
            f"Generation {report.generation}, applied {age(report.applied_at, now)} "
            f"({moment(report.applied_at)}) by {report.reason}"
        )
    if report.rules_edited:
        edited = (
            "The rules or lists on disk mean another fence: 'geofence plan --offline' shows it."
        )
        screen.say(edited, "bold yellow")
    screen.say(f"Backend: {report.backend}")


def _show_services(screen: Screen, report: StatusReport, now: datetime) -> None:
    since = f" in {span(now - report.counting_since)}" if report.counting_since else ""
    screen.table(
        ("service", "ports", f">packets dropped{since}", ">bytes"),
        (
            (s.name, " ".join(s.ports), f"{s.dropped.packets:,}", f"{s.dropped.octets:,}")
            for s in report.services
        ),
    )


def _show_kernel(screen: Screen, report: StatusReport) -> None:
    """What the kernel holds, set by set and rule by rule."""
    screen.table(("set", ">prefixes"), ((name, f"{n:,}") for name, n in report.sets.items()))
    screen.say("Rules in the kernel:")
    for line in report.rules:
        screen.say(f"  {line}")


def _show_lists(screen: Screen, report: StatusReport, now: datetime, *, full: bool) -> None:
    lists = report.lists if full else _telling(report.lists)
    screen.table(*list_rows(lists, now, full=full))
    if len(lists) < len(report.lists):
        more = len(report.lists) - len(lists)
        screen.say(f"and {more} more lists ('geofence status --full' shows them)")


def _telling(lists: tuple[ListReport, ...]) -> tuple[ListReport, ...]:
    """Those with something wrong, and as many of the others as are shown."""
    wrong = [each for each in lists if each.is_absent or each.problem]
    others = [each for each in lists if each not in wrong]
    shown = (*wrong, *others[: max(0, _MOST_LISTS - len(wrong))])
    return tuple(each for each in lists if each in shown)


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
        "rules_edited": report.rules_edited,
        "restorable": report.restorable,
        "counting_since": report.counting_since.isoformat() if report.counting_since else None,
        "outliving": _sources_json(report, "outliving"),
        "unnamed_peers": _sources_json(report, "unnamed"),
        **other_rules_json(report.other_rules),
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


def _show_trusted(screen: Screen, report: StatusReport) -> None:
    if besides_loopback(report.interfaces):
        screen.say(f"Trusted interfaces, never fenced: {', '.join(report.interfaces)}")
    if report.local:
        screen.say(_fitted("Local networks: ", map(str, report.local)))


def _fitted(what: str, names: Iterable[str]) -> str:
    """As many names as fit on a line, and how many more there are."""
    known = tuple(names)
    for shown in range(len(known), 0, -1):
        more = f" and {len(known) - shown} more" if shown < len(known) else ""
        line = f"{what}{', '.join(known[:shown])}{more}"
        if len(line) <= _WIDTH:
            return line
    return f"{what}{len(known)}"


def _crowd_json(report: StatusReport) -> dict[str, object] | None:
    crowd = report.traffic.crowd if report.traffic else None
    if crowd is None:
        return None
    source = address_text(crowd.family, crowd.address)
    return {"address": source, "flows": crowd.flows, "of": crowd.of, "share": crowd.share}


def _sources_json(report: StatusReport, which: str) -> list[dict[str, object]] | None:
    traffic = report.traffic
    if traffic is None or traffic.unread:
        return None
    return sources_json(traffic.outliving if which == "outliving" else traffic.unnamed)


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


def _show_runs(screen: Screen, last: RunOutcome, now: datetime) -> None:
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


def _show_exceptions(screen: Screen, report: StatusReport, *, full: bool) -> None:
    names, waiting = report.exceptions.names, report.exceptions.waiting
    listed = _all if full else _fitted
    screen.say(listed("Exceptions in force: ", names) if names else "Exceptions in force: none")
    for each in waiting:
        screen.say(f"Exception {each.name}: allowed but not in force ({each.why})", "yellow")
    if report.exceptions_off:
        screen.say(listed("Exceptions that are off: ", report.exceptions_off))
    for name in names:
        if name in report.exceptions_off:
            why = "off in the rules but still in force; 'geofence apply' ends that"
            screen.say(f"Exception {name}: {why}", "yellow")


def _all(what: str, names: Iterable[str]) -> str:
    return f"{what}{', '.join(names)}"


def _last_json(last: RunOutcome | None) -> dict[str, object] | None:
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
        back = f"'geofence restore' brings generation {report.generation} back."
        what_to_do = back if report.restorable else "'geofence refresh' makes one."
        return f"{no_fence(report.unfenced)}. {what_to_do}", "bold red"
    if report.drift:
        return "The fence is not what was applied; 'geofence apply' heals it.", "bold red"
    if report.generation is None:
        return "A fence stands that no generation on this disk records.", "bold yellow"
    if not report.services:
        return "The fence stands as it was applied, but it fences NO SERVICE.", "bold yellow"
    return "The fence stands as it was applied.", "bold green"
