"""The state of the fence, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from geofence.cli.views.allowed import allowed_json, allowed_lines
from geofence.cli.views.fence import applied_text, fence_json, no_fence, observed_text
from geofence.cli.views.lists import list_json, list_rows
from geofence.cli.views.notes import other_rules_json, sources_json, status_notes
from geofence.cli.views.shield import shield_json, show_shield
from geofence.model.policy import besides_loopback
from geofence.model.prefixes import Family, address_text
from geofence.operations.listed import Listed
from geofence.operations.status import ServiceStatus, StatusReport
from geofence.screen import Screen, columns
from geofence.sentences import note_json, sentence
from geofence.sentences.backends import backend_json, backend_text
from geofence.sentences.drift import difference_json, difference_text, drift_summary
from geofence.sentences.exceptions import obstacle_text
from geofence.state.outcomes import Ended, Ending, Probation, RunOutcome
from geofence.translation import english, tr, trn
from geofence.wording import age, span

_TOLD_BY_RULES = ("allowed", "exceptions", "exceptions_waiting", "exceptions_off", "lists", "stale")


_WIDTH = 80
"""Columns of a usual screen."""
_MOST_LISTS = 8
"""Lists that are shown one by one; a host with names of many trunks has more."""


def show_status(screen: Screen, report: StatusReport, *, full: bool = False) -> None:
    """Print the state of the fence, its counters and lists, and the state again."""
    now = datetime.now(UTC)
    screen.say(*headline(report))
    _show_differences(screen, report, full=full)
    _show_generation(screen, report, now)
    if report.probation:
        screen.say(_probation(report.probation, over=report.probation_over), "bold yellow")
    if report.last:
        _show_runs(screen, report.last, now)
    if report.wrong_rules:
        unknown = tr("The rules do not load, so exceptions and lists are unknown.")
        screen.say(unknown, "bold yellow")
    else:
        for line in allowed_lines(report.allowed):
            screen.say(line)
        _show_exceptions(screen, report, full=full)
    _show_trusted(screen, report)
    _show_services(screen, report, now)
    if report.shield:
        show_shield(screen, report.shield)
    if full:
        _show_kernel(screen, report)
    if not report.wrong_rules:
        _show_lists(screen, report, now, full=full)
    for note in status_notes(report, full=full):
        screen.note(note, "yellow")
    screen.say(*headline(report))


def _show_differences(screen: Screen, report: StatusReport, *, full: bool) -> None:
    if len(report.unfenced) == len(Family) and not full:
        return  # all of it differs
    for line in map(difference_text, report.drift) if full else drift_summary(report.drift):
        screen.say(f"  {line}", "red")
    if not full and len(drift_summary(report.drift)) < len(report.drift):
        screen.say("  " + tr("'geofence status --full' shows each of them"), "red")


def _show_generation(screen: Screen, report: StatusReport, now: datetime) -> None:
    if report.applied_at:
        screen.say(applied_text(report.generation, report.applied_at, report.reason, now))
    if report.rules_edited:
        edited = tr(
            "The rules or lists on disk differ from what was applied. 'geofence plan --offline' "
            "shows the difference."
        )
        screen.say(edited, "bold yellow")
    screen.say(tr("Backend: {backend}", backend=backend_text(report.backend)))


def _show_services(screen: Screen, report: StatusReport, now: datetime) -> None:
    if not report.services:
        return
    dropped = tr("packets dropped")
    if report.counting_since:
        dropped = tr("packets dropped in {span}", span=span(now - report.counting_since))
    screen.table(
        (tr("service"), tr("ports"), ">" + dropped, ">" + tr("bytes")),
        (
            (_named(s), " ".join(s.ports), f"{s.dropped.packets:,}", f"{s.dropped.octets:,}")
            for s in report.services
        ),
    )


def _named(service: ServiceStatus) -> str:
    return tr("{service} (observed)", service=service.name) if service.observed else service.name


def _show_kernel(screen: Screen, report: StatusReport) -> None:
    """Print sets and rules in the kernel."""
    if report.sets:
        rows = ((name, f"{n:,}") for name, n in report.sets.items())
        screen.table((tr("set"), ">" + tr("prefixes")), rows)
    screen.say(tr("Rules in the kernel:"))
    for line in report.rules:
        screen.say(f"  {line}")


def _show_lists(screen: Screen, report: StatusReport, now: datetime, *, full: bool) -> None:
    lists = report.lists if full else _telling(report.lists)
    if lists:
        screen.table(*list_rows(lists, now, full=full))
    if len(lists) < len(report.lists):
        more = len(report.lists) - len(lists)
        screen.say(
            trn(
                more,
                "and {number} more list ('geofence status --full' shows it)",
                "and {number} more lists ('geofence status --full' shows them)",
            )
        )


def _telling(lists: tuple[Listed, ...]) -> tuple[Listed, ...]:
    """Return lists with a problem, and as many of the others as fit."""
    wrong = [each for each in lists if each.is_absent or each.problem]
    others = [each for each in lists if each not in wrong]
    shown = (*wrong, *others[: max(0, _MOST_LISTS - len(wrong))])
    return tuple(each for each in lists if each in shown)


def waiting(report: StatusReport) -> list[str]:
    """Return what is not as it should be beside the fence itself, a sentence each."""
    last = report.last
    bad = last is not None and last.ending is not Ending.DONE
    return [
        *([str(report.wrong_rules)] if report.wrong_rules else []),
        *([f"{last.command} {last.ending}: {last.message}"] if last and bad else []),
        *([last.failing] if last and last.failing else []),
        *(["A change waits to be confirmed."] if report.probation else []),
        *map(sentence, report.stale),
    ]


def _health_json(report: StatusReport) -> dict[str, object]:
    from geofence.operations.snapshot import Health, health

    found = health(report)
    up = found in (Health.WELL, Health.ATTENTION)
    problems = [*([] if up else [headline(report)[0]]), *waiting(report)]
    return {"health": found.value, "problems": [english(each) for each in problems]}


def status_json(report: StatusReport) -> dict[str, object]:
    """Return the state for scripts; times are UTC."""
    told = {**_health_json(report), **_status_json(report)}
    return told | dict.fromkeys(_TOLD_BY_RULES) if report.wrong_rules else told


def _status_json(report: StatusReport) -> dict[str, object]:
    return {
        **fence_json(report.unfenced),
        "drift": [english(difference_text(each)) for each in report.drift],
        "drift_facts": [difference_json(each) for each in report.drift],
        "rules_error": english(str(report.wrong_rules)) if report.wrong_rules else None,
        **backend_json(report.backend),
        "generation": report.generation,
        "applied_at": report.applied_at.isoformat() if report.applied_at else None,
        "reason": report.reason,
        "services": [
            {
                "service": service.name,
                "ports": list(service.ports),
                "packets_dropped": service.dropped.packets,
                "octets_dropped": service.dropped.octets,
                "observed": service.observed,
            }
            for service in report.services
        ],
        "shield": shield_json(report.shield),
        "interfaces": list(report.interfaces),
        "local_networks": list(map(str, report.local)),
        "crowd": _crowd_json(report),
        "rules_edited": report.rules_edited,
        "compared_at": report.compared_at.isoformat() if report.compared_at else None,
        "unchanged_since": report.unchanged_since,
        "restorable": report.restorable,
        "counting_since": report.counting_since.isoformat() if report.counting_since else None,
        "outliving": _sources_json(report, "outliving"),
        "unnamed_peers": _sources_json(report, "unnamed"),
        **other_rules_json(report.other_rules),
        "sets": dict(report.sets),
        "exceptions": list(report.exceptions.names),
        "exceptions_waiting": [
            {
                "exception": each.name,
                "kind": each.obstacle.value,
                "why": english(obstacle_text(each)),
            }
            for each in report.exceptions.inactive
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
        "allowed": allowed_json(report.allowed),
        "lists": [list_json(entry) for entry in report.lists],
        "stale": [english(sentence(note)) for note in report.stale],
        "stale_facts": [note_json(note) for note in report.stale],
        "notes": [english(sentence(note)) for note in report.notes],
        "note_facts": [note_json(note) for note in report.notes],
    }


def _show_trusted(screen: Screen, report: StatusReport) -> None:
    if besides_loopback(report.interfaces):
        names = ", ".join(report.interfaces)
        screen.say(tr("Trusted interfaces, never fenced: {interfaces}", interfaces=names))
    if report.local:
        screen.say(_fitted(tr("Local networks:"), map(str, report.local)))


def _fitted(what: str, names: Iterable[str]) -> str:
    """Return as many names as fit on a line, and how many more there are."""
    known = tuple(names)
    for shown in range(len(known), 0, -1):
        listed = ", ".join(known[:shown])
        if shown < len(known):
            listed = tr("{named} and {number} more", named=listed, number=len(known) - shown)
        line = f"{what} {listed}"
        if columns(line) <= _WIDTH:
            return line
    return f"{what} {len(known)}"


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
    """Return what happens to a change that waits to be confirmed."""
    if probation.former is None:
        before = tr("no fence")
    else:
        before = tr("generation {number}", number=probation.former)
    if over:
        return tr(
            "The last change was not confirmed in time. The next run restores {before}.",
            before=before,
        )
    return tr(
        "The last change is pending: run 'geofence confirm' by {time} UTC to keep it. Otherwise "
        "{before} is restored.",
        time=f"{probation.deadline:%H:%M:%S}",
        before=before,
    )


def _show_runs(screen: Screen, last: RunOutcome, now: datetime) -> None:
    """Print the last run, and earlier failures that are unresolved."""
    _show_ended(screen, tr("Last run"), last, now)
    for bad in last.unresolved:
        if (bad.command, bad.at) != (last.command, last.at):
            _show_ended(screen, tr("Unresolved"), bad, now, "yellow")
    if last.healed_at:
        screen.say(
            tr(
                "Repairs of changes made by other programs: {number}, the last {age}",
                number=last.healed,
                age=age(last.healed_at, now),
            )
        )
    if last.failing:
        failing = tr("The fence cannot be repaired: {reason}", reason=last.failing)
        screen.say(failing, "bold red")


def _show_ended(screen: Screen, what: str, run: Ended, now: datetime, style: str = "") -> None:
    ending = {
        Ending.DONE: tr("done"),
        Ending.DEGRADED: tr("degraded"),
        Ending.REFUSED: tr("refused"),
        Ending.FAILED: tr("failed"),
    }[run.ending]
    line = tr(
        "{what} ({command}): {ending} {age}. {message}",
        what=what,
        command=run.command,
        ending=ending,
        age=age(run.at, now),
        message=run.message,
    )
    screen.say(line.rstrip(), style)


def _show_exceptions(screen: Screen, report: StatusReport, *, full: bool) -> None:
    names = report.exceptions.names
    listed = _all if full else _fitted
    screen.say(listed(tr("Active exceptions:"), names or (tr("none"),)))
    for each in report.exceptions.inactive:
        why = obstacle_text(each)
        screen.say(tr("Exception {name} is inactive: {why}", name=each.name, why=why), "yellow")
    if report.exceptions_off:
        screen.say(listed(tr("Disabled exceptions:"), report.exceptions_off))
    for name in names:
        if name in report.exceptions_off:
            still = tr(
                "Exception {name} is disabled in the rules but still active. Run 'geofence apply'.",
                name=name,
            )
            screen.say(still, "yellow")


def _all(what: str, names: Iterable[str]) -> str:
    return f"{what} {', '.join(names)}"


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


def headline(report: StatusReport) -> tuple[str, str]:
    """Return how the fence is, as one sentence or two, and its style."""
    observed = tuple(each.name for each in report.services if each.observed)
    line, style = _verdict(report)
    if not observed or report.unfenced:
        return line, style
    # Translators: {verdict} is a sentence such as "The fence is up as applied."
    text = tr("{observed} {verdict}", observed=observed_text(observed), verdict=line)
    return text, style.replace("green", "yellow")


def _verdict(report: StatusReport) -> tuple[str, str]:
    if report.unfenced:
        return _no_fence(report), "bold red"
    if report.drift:
        return tr("The fence differs from what was applied. Run 'geofence repair'."), "bold red"
    if report.generation is None:
        return tr("The fence is up, but it has no record on this disk."), "bold yellow"
    if not report.services:
        return tr("The fence is up as applied, but it fences NO SERVICE."), "bold yellow"
    return tr("The fence is up as applied."), "bold green"


def _no_fence(report: StatusReport) -> str:
    warning = no_fence(report.unfenced)
    if report.restorable:
        return tr(
            "{warning}. 'geofence restore' restores generation {number}.",
            warning=warning,
            number=report.generation,
        )
    return tr("{warning}. 'geofence refresh' sets one up.", warning=warning)
