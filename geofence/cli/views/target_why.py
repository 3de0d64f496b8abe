"""The verdict on an address in a cluster, as text and as JSON."""

from __future__ import annotations

from geofence.cli.views.why import show_table, then_row, verdicts_json
from geofence.explain import Explanation
from geofence.geoip.countries import country_name
from geofence.model.address import Address
from geofence.model.prefixes import prefix_text
from geofence.model.ruleset import Action
from geofence.operations.targets.why import TargetAnswer, TargetWhyReport
from geofence.screen import Screen, Styled
from geofence.sentences import note_json, sentence
from geofence.sentences.backends import backend_json
from geofence.sentences.reasons import hint_text, reason_text
from geofence.translation import english, tr


def show_target_why(screen: Screen, source: Address, report: TargetWhyReport) -> None:
    """Print the address, its country, the verdicts of the cluster, and those to come."""
    known = [f"{country_name(code)} ({code})" for code in report.countries]
    known += [f"AS{number}" for number in report.asns]
    screen.say(f"{source}: {', '.join(known) or _nowhere(report)}", "bold")
    pairs = list(zip(report.explanations, report.now, strict=True))
    title = tr("verdict in the cluster of {target}", target=report.target)
    show_table(screen, title, (_row(*pair) for pair in pairs))
    differing = [found for found, now in pairs if now.passes is not _passes(found)]
    if differing:
        screen.say("")
        after = tr("verdict after 'geofence {verb}'", verb=report.next_run)
        show_table(screen, after, map(then_row, differing))
    hints = dict.fromkeys(found.hint for found in report.explanations if found.hint)
    for hint in hints:
        screen.say(hint_text(hint))
    for note in report.notes:
        screen.note(sentence(note), "yellow")


def _nowhere(report: TargetWhyReport) -> str:
    looked = ", ".join(report.countries_at_hand)
    return tr("in none of the stored country lists ({countries})", countries=looked)


def _passes(found: Explanation) -> bool:
    return found.action is Action.PASS


def _row(found: Explanation, now: TargetAnswer) -> tuple[Styled, ...]:
    verdict = (tr("allowed"), "green") if now.passes else (tr("blocked"), "red")
    because = (
        reason_text(found.because)
        if now.passes is _passes(found)
        else tr("as the objects in the cluster say")
    )
    return found.service or "-", str(found.ports), verdict, because


def target_why_json(source: Address, report: TargetWhyReport) -> dict[str, object]:
    """Return the answer for scripts."""
    verdicts = verdicts_json(source.family, report.explanations, None)
    for verdict, now in zip(verdicts, report.now, strict=True):
        verdict["now"] = {
            "verdict": str(Action.PASS if now.passes else Action.DROP),
            "by_generation": None
            if now.applied is None
            else str(Action.PASS if now.applied else Action.DROP),
        }
    return {
        "address": str(source),
        "target": report.target,
        **backend_json(report.backend),
        "countries": list(report.countries),
        "countries_at_hand": list(report.countries_at_hand),
        "asns": list(report.asns),
        "verdicts": verdicts,
        "bans": [prefix_text(each.prefix) for each in report.bans],
        "notes": [english(sentence(note)) for note in report.notes],
        "note_facts": [note_json(note) for note in report.notes],
    }
