"""Why an address gets in or not, now and after the next run, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable

from geofence.countries import country_name
from geofence.explain import Answer, Explanation
from geofence.flows.connections import Began, Connections
from geofence.model.prefixes import Family, address_text
from geofence.model.ruleset import Action
from geofence.operations.report import WhyReport
from geofence.screen import Screen, Styled
from geofence.wording import plural

_VERDICTS = {
    Action.PASS: ("gets in", "green"),
    Action.DROP: ("is dropped", "red"),
}
_UNFENCED = ("not fenced", "cyan")
_NO_FENCE = ("gets in", "bold red")
_BEGAN = {Began.PEER: "the other end", Began.HOST: "this host"}


def show_why(screen: Screen, source: tuple[Family, int], report: WhyReport) -> None:
    """The address, its country, a row for each port asked for, and its connections."""
    screen.say(f"{address_text(*source)}: {_country(report)}", "bold")
    if report.now is None:
        _table(screen, "by the rules", map(_then_row, report.explanations))
    else:
        rows = (_now_row(*pair) for pair in zip(report.explanations, report.now, strict=True))
        _table(screen, "now", rows)
        _show_then(screen, report)
    for line in _connection_lines(report):
        screen.say(line)
    for hint in dict.fromkeys(found.hint for found in report.explanations if found.hint):
        screen.say(hint)
    for note in report.notes:
        screen.note(note, "yellow")


def why_json(source: tuple[Family, int], report: WhyReport) -> dict[str, object]:
    """The answer for machines."""
    now = report.now or (None,) * len(report.explanations)
    return {
        "address": address_text(*source),
        "countries": list(report.countries),
        "countries_at_hand": list(report.countries_at_hand),
        "verdicts": [
            {
                "service": found.service,
                "ports": str(found.ports),
                "fenced": found.service is not None,
                "verdict": str(found.action),
                "because": found.because,
                "hint": found.hint or None,
                "now": _now_json(answer),
            }
            for found, answer in zip(report.explanations, now, strict=True)
        ],
        "connections": [
            {
                "service": each.service,
                "began": str(each.began),
                "passes": each.passes,
                "could_begin": each.begins,
                "number": each.number,
            }
            for each in report.connections
        ],
        "ending": report.ending or None,
        "notes": list(report.notes),
    }


def _table(screen: Screen, when: str, rows: Iterable[tuple[Styled, ...]]) -> None:
    screen.table(("service", "port", f"a new packet {when}", "because"), rows)


def _now_row(found: Explanation, answer: Answer) -> tuple[Styled, ...]:
    verdict = _VERDICTS[answer.action] if answer.service else _UNFENCED
    if not answer.fenced and found.service:
        verdict = _NO_FENCE
    because = answer.because if answer.fenced or found.service else found.because
    return answer.service or found.service or "-", str(found.ports), verdict, because


def _then_row(found: Explanation) -> tuple[Styled, ...]:
    verdict = _VERDICTS[found.action] if found.service else _UNFENCED
    return found.service or "-", str(found.ports), verdict, found.because


def _show_then(screen: Screen, report: WhyReport) -> None:
    """The ports of which the next run changes what becomes of a packet."""
    pairs = zip(report.explanations, report.now or (), strict=True)
    differing = [found for found, now in pairs if found.action is not now.action]
    if differing:
        screen.say("")
        _table(screen, f"after 'geofence {report.next_run}'", map(_then_row, differing))


def _connection_lines(report: WhyReport) -> Iterable[str]:
    if report.connections:
        yield ""
    for each in report.connections:
        yield f"{plural(each.number, 'live connection')} to {each.service}: {_state(each)}."
    if report.ending:
        yield report.ending


def _state(each: Connections) -> str:
    began = f"begun by {_BEGAN[each.began]}"
    if not each.passes:
        return f"{began}, its packets are dropped"
    if each.begins:
        return f"{began}, allowed"
    why = "this host began it" if each.began is Began.HOST else "it was allowed when it began"
    return f"{began}, goes on although a new one would be blocked, for {why}"


def _now_json(answer: Answer | None) -> dict[str, object] | None:
    if answer is None:
        return None
    return {
        "fence": answer.fenced,
        "service": answer.service,
        "verdict": str(answer.action),
        "because": answer.because,
    }


def _country(report: WhyReport) -> str:
    if report.countries:
        return ", ".join(f"{country_name(code)} ({code})" for code in report.countries)
    looked = ", ".join(report.countries_at_hand)
    return f"in no country list at hand ({looked})" if looked else "no country list is at hand"
