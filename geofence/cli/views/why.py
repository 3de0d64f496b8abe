"""The verdict on an address now and after the next run, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable

from geofence.countries import country_name
from geofence.explain import Answer, Explanation
from geofence.flows.connections import Began, Connections
from geofence.model.address import Address
from geofence.model.reasons import Reason
from geofence.model.ruleset import Action
from geofence.operations.why import DropKind, DropMethod, WhyReport
from geofence.screen import Screen, Styled
from geofence.sentences import note_json, sentence
from geofence.sentences.reasons import hint_json, hint_text, reason_json, reason_text
from geofence.translation import english, tr, trn

_STYLES = {Action.PASS: "green", Action.DROP: "red"}


def show_why(screen: Screen, source: Address, report: WhyReport) -> None:
    """Print the address, its country, a row for each port asked for, and its connections."""
    networks = [f"AS{number}" for number in report.asns]
    known = [_country(report), *networks] if report.countries else [*networks, _country(report)]
    screen.say(f"{source}: {', '.join(known)}", "bold")
    if report.now is None:
        _table(screen, tr("verdict of the rules"), map(_then_row, report.explanations))
    else:
        rows = (_now_row(*pair) for pair in zip(report.explanations, report.now, strict=True))
        _table(screen, tr("verdict now"), rows)
        _show_then(screen, report)
    for line in _connection_lines(report):
        screen.say(line)
    for hint in dict.fromkeys(found.hint for found in report.explanations if found.hint):
        screen.say(hint_text(hint))
    for note in report.notes:
        screen.note(sentence(note), "yellow")


def why_json(source: Address, report: WhyReport) -> dict[str, object]:
    """Return the answer for scripts."""
    now = report.now or (None,) * len(report.explanations)
    return {
        "address": str(source),
        "countries": list(report.countries),
        "countries_at_hand": list(report.countries_at_hand),
        "asns": list(report.asns),
        "verdicts": [
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
        "ending": english(_ending(report.ending)) if report.ending else None,
        "ending_fact": _ending_json(report.ending),
        "notes": [english(sentence(note)) for note in report.notes],
        "note_facts": [note_json(note) for note in report.notes],
    }


def _table(screen: Screen, verdict: str, rows: Iterable[tuple[Styled, ...]]) -> None:
    screen.table((tr("service"), tr("port"), verdict, tr("because")), rows)


def _verdict(action: Action, *, service: bool, observed: bool = False) -> Styled:
    if not service:
        return tr("not fenced"), "cyan"
    if observed:
        return tr("only observed"), "yellow"
    return (tr("allowed") if action is Action.PASS else tr("blocked")), _STYLES[action]


def _now_row(found: Explanation, answer: Answer) -> tuple[Styled, ...]:
    verdict = _verdict(answer.action, service=bool(answer.service), observed=answer.observed)
    if not answer.fenced and found.service:
        verdict = (tr("allowed"), "bold red")
    because = answer.because if answer.fenced or found.service else found.because
    service = answer.service or found.service or "-"
    return service, str(found.ports), verdict, _because(because, observed=answer.observed)


def _then_row(found: Explanation) -> tuple[Styled, ...]:
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
        _table(screen, after, map(_then_row, differing))


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


def _now_json(answer: Answer | None) -> dict[str, object] | None:
    if answer is None:
        return None
    return {
        "fence": answer.fenced,
        "service": answer.service,
        "verdict": str(answer.action),
        "observed": answer.observed,
        "because": english(reason_text(answer.because)),
        "because_fact": reason_json(answer.because),
    }


def _country(report: WhyReport) -> str:
    if report.countries:
        return ", ".join(f"{country_name(code)} ({code})" for code in report.countries)
    looked = ", ".join(report.countries_at_hand)
    if not looked:
        return tr("no country list is stored")
    return tr("in none of the stored country lists ({countries})", countries=looked)
