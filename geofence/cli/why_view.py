"""Why an address gets in or not, as text and as JSON."""

from __future__ import annotations

from geofence.cli.screen import Screen
from geofence.model.prefixes import Family, address_text
from geofence.model.ruleset import Action
from geofence.operations.report import WhyReport
from geofence.policy.countries import country_name

_VERDICTS = {
    Action.PASS: ("gets in", "green"),
    Action.DROP: ("is dropped", "red"),
}
_UNFENCED = ("not fenced", "cyan")


def show_why(screen: Screen, source: tuple[Family, int], report: WhyReport) -> None:
    """The address, its country, and a row for each port asked for."""
    screen.say(f"{address_text(*source)}: {_country(report)}", "bold")
    screen.table(
        ("service", "port", "a new packet", "because"),
        (
            (
                found.service or "-",
                str(found.ports),
                _VERDICTS[found.action] if found.service else _UNFENCED,
                found.because,
            )
            for found in report.explanations
        ),
    )
    for hint in dict.fromkeys(found.hint for found in report.explanations if found.hint):
        screen.say(hint)
    for note in report.notes:
        screen.note(note, "yellow")


def why_json(source: tuple[Family, int], report: WhyReport) -> dict[str, object]:
    """The answer for machines."""
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
            }
            for found in report.explanations
        ],
        "notes": list(report.notes),
    }


def _country(report: WhyReport) -> str:
    if report.countries:
        return ", ".join(f"{country_name(code)} ({code})" for code in report.countries)
    looked = ", ".join(report.countries_at_hand)
    return f"in no country list at hand ({looked})" if looked else "no country list is at hand"
