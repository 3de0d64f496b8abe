"""The verdict on an address now and after the next run, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from geofence.cli.views.why_known import known_json, known_lines, show_memberships, show_steps
from geofence.explain import Answer, Explanation
from geofence.flows.connections import Began, Connections
from geofence.geoip.countries import country_name
from geofence.model.address import Address
from geofence.model.prefixes import Family
from geofence.model.reasons import Hint, HintKind, Reason
from geofence.model.ruleset import Action
from geofence.operations.why import DropKind, DropMethod, WhyReport
from geofence.screen import Screen, Styled
from geofence.sentences import note_json, sentence
from geofence.sentences.reasons import hint_json, hint_text, reason_json, reason_text
from geofence.sentences.steps import step_json
from geofence.translation import english, tr, trn

_STYLES = {Action.PASS: "green", Action.DROP: "red"}


def show_why(screen: Screen, source: Address, report: WhyReport, *, full: bool = False) -> None:
    """Print the address, its country, a row for each port asked for, and all that bears on it."""
    show_verdicts(screen, source, report, full=full)
    for note in report.notes:
        screen.note(sentence(note), "yellow")


def show_verdicts(screen: Screen, source: Address, report: WhyReport, *, full: bool) -> None:
    """Print the same without the notes."""
    networks = [f"AS{number}" for number in report.asns]
    country = _country(report)
    known = [country, *networks] if _countries(report) else [*networks, country]
    screen.say(f"{source}: {', '.join(known)}", "bold")
    if report.now is None:
        show_table(screen, tr("verdict of the rules"), map(then_row, report.explanations))
    else:
        rows = (now_row(*pair) for pair in zip(report.explanations, report.now, strict=True))
        show_table(screen, tr("verdict now"), rows)
        _show_then(screen, report)
    for line in (*known_lines(report), *_connection_lines(report)):
        screen.say(line)
    for hint in _hints(report, full=full):
        screen.say(hint_text(hint))
    show_steps(screen, source, report, full=full)
    if full:
        show_memberships(screen, report)


def _hints(report: WhyReport, *, full: bool) -> Iterable[Hint]:
    """Return what would allow the address, and with ``full`` what would block it, too.

    Where the rules know an exception for it, others are shown in full only.
    """
    told = [found.hints for found in report.explanations if found.blocks or full]
    hints = dict.fromkeys(hint for each in told for hint in each)
    if full or not any(hint.kind in _KNOWN for hint in hints):
        return hints
    return [hint for hint in hints if hint.kind not in _GENERAL]


_KNOWN = (HintKind.ALLOW_EXCEPTION, HintKind.ALLOW_GROUP)
_GENERAL = (HintKind.ALLOW_ADDRESS, HintKind.ALLOW_COUNTRY)


def why_json(source: Address, report: WhyReport) -> dict[str, object]:
    """Return the answer for scripts."""
    return {
        "address": str(source),
        "countries": list(report.countries),
        "countries_at_hand": list(report.countries_at_hand),
        "asns": list(report.asns),
        "verdicts": verdicts_json(source.family, report.explanations, report.now),
        **known_json(report),
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
        "ending": english(_ending(report.ending)) if report.ending else None,
        "ending_fact": _ending_json(report.ending),
        "notes": [english(sentence(note)) for note in report.notes],
        "note_facts": [note_json(note) for note in report.notes],
    }


def verdicts_json(
    family: Family, explanations: Sequence[Explanation], answers: Sequence[Answer] | None
) -> list[dict[str, object]]:
    """Return the verdicts for scripts."""
    now = answers or (None,) * len(explanations)
    return [
        {
            "service": found.service,
            "ports": str(found.ports),
            "fenced": found.service is not None,
            "verdict": str(found.action),
            "observed": found.observed,
            "because": english(reason_text(found.because)),
            "because_fact": reason_json(found.because),
            "hint": english(hint_text(found.hint)) if found.hint else None,
            "hint_fact": hint_json(found.hint),
            "hints": [hint_json(hint) for hint in found.hints],
            "steps": [step_json(step, family) for step in found.steps],
            "now": _now_json(answer, family),
        }
        for found, answer in zip(explanations, now, strict=True)
    ]


def show_table(screen: Screen, verdict: str, rows: Iterable[tuple[Styled, ...]]) -> None:
    """Print a row for each port."""
    screen.table((tr("service"), tr("port"), verdict, tr("because")), rows)


def _verdict(action: Action, *, service: bool, observed: bool = False) -> Styled:
    if not service:
        return tr("not fenced"), "cyan"
    if observed:
        return tr("only observed"), "yellow"
    return (tr("allowed") if action is Action.PASS else tr("blocked")), _STYLES[action]


def now_row(found: Explanation, answer: Answer) -> tuple[Styled, ...]:
    """Return the row of a port, with the kernel's verdict."""
    verdict = _verdict(answer.action, service=bool(answer.service), observed=answer.observed)
    if not answer.fenced and found.service:
        verdict = (tr("allowed"), "bold red")
    because = answer.because if answer.fenced or found.service else found.because
    service = answer.service or found.service or "-"
    return service, str(found.ports), verdict, _because(because, observed=answer.observed)


def then_row(found: Explanation) -> tuple[Styled, ...]:
    """Return the row of a port, with the verdict of the rules."""
    verdict = _verdict(found.action, service=bool(found.service), observed=found.observed)
    because = _because(found.because, observed=found.observed)
    return found.service or "-", str(found.ports), verdict, because


def _because(reason: Reason, *, observed: bool) -> str:
    text = reason_text(reason)
    if not observed:
        return text
    return tr("would be dropped, but the service is only observed: {reason}", reason=text)


def _show_then(screen: Screen, report: WhyReport) -> None:
    """Print the ports for which the next run changes the verdict."""
    pairs = zip(report.explanations, report.now or (), strict=True)
    differing = [
        found
        for found, now in pairs
        if (found.action, found.observed) != (now.action, now.observed)
    ]
    if differing:
        screen.say("")
        after = tr("verdict after 'geofence {verb}'", verb=report.next_run)
        show_table(screen, after, map(then_row, differing))


def _connection_lines(report: WhyReport) -> Iterable[str]:
    if report.connections:
        yield ""
    for each in report.connections:
        yield trn(
            each.number,
            "{number} connection to {service}: {state}.",
            "{number} connections to {service}: {state}.",
            service=each.service,
            state=_state(each),
        )
    if report.ending:
        yield _ending(report.ending)


def _ending(ending: DropMethod) -> str:
    if ending.kind is DropKind.REVOKE:
        return tr(
            "'geofence revoke {name}' blocks the address and drops them.", name=ending.subject
        )
    if ending.kind is DropKind.CUT:
        return tr("'geofence {verb} --cut' drops them.", verb=ending.subject)
    return tr(
        'To drop them, write [blocklist.NAME] with prefixes = ["{prefix}"] into your rules and run '
        "'geofence apply --cut'.",
        prefix=ending.subject,
    )


def _ending_json(ending: DropMethod | None) -> dict[str, object] | None:
    if ending is None:
        return None
    text = english(_ending(ending))
    return {"kind": ending.kind.value, "subject": ending.subject, "text": text}


def _state(each: Connections) -> str:
    by_host = each.began is Began.HOST
    began = tr("begun by this host") if by_host else tr("begun by the other end")
    if not each.passes:
        return tr("{began}, its packets are dropped", began=began)
    if each.begins:
        return tr("{began}, allowed", began=began)
    if by_host:
        return tr(
            "{began}, goes on although a new one would be blocked, since this host began it",
            began=began,
        )
    return tr(
        "{began}, goes on although a new one would be blocked, since it was allowed when it began",
        began=began,
    )


def _now_json(answer: Answer | None, family: Family) -> dict[str, object] | None:
    if answer is None:
        return None
    return {
        "fence": answer.fenced,
        "service": answer.service,
        "verdict": str(answer.action),
        "observed": answer.observed,
        "because": english(reason_text(answer.because)),
        "because_fact": reason_json(answer.because),
        "steps": [step_json(step, family) for step in answer.steps],
    }


def _countries(report: WhyReport) -> tuple[str, ...]:
    """Return the country by the lists, or else by the world index."""
    return report.countries or tuple(filter(None, (report.atlas_country,)))


def _country(report: WhyReport) -> str:
    countries = _countries(report)
    if countries:
        return ", ".join(f"{country_name(code)} ({code})" for code in countries)
    looked = ", ".join(report.countries_at_hand)
    if not looked:
        return tr("no country list is stored")
    return tr("in none of the stored country lists ({countries})", countries=looked)
