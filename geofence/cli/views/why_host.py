"""The verdicts on the addresses of a host name, as text and as JSON."""

from __future__ import annotations

from geofence.cli.views.why import show_verdicts, why_json
from geofence.operations.why import HostReport
from geofence.screen import Screen
from geofence.sentences import note_json, sentence
from geofence.translation import english, tr


def show_host(screen: Screen, report: HostReport, *, full: bool = False) -> None:
    """Print the exceptions that have the name, then each of its addresses."""
    for name, enabled in report.exceptions:
        if enabled:
            text = tr("{host} is a host name of exception {name}.", host=report.host, name=name)
        else:
            text = tr(
                "{host} is a host name of exception {name}, which is not enabled; 'geofence allow "
                "{name}' allows it.",
                host=report.host,
                name=name,
            )
        screen.say(text)
    for at, (address, found) in enumerate(report.answers):
        if at or report.exceptions:
            screen.say("")
        show_verdicts(screen, address, found, full=full)
    notes = (*report.notes, *(note for _, found in report.answers for note in found.notes))
    for text in dict.fromkeys(map(sentence, notes)):
        screen.note(text, "yellow")


def host_json(report: HostReport) -> dict[str, object]:
    """Return the answers for scripts."""
    return {
        "host": report.host,
        "exceptions": [{"name": name, "enabled": enabled} for name, enabled in report.exceptions],
        "addresses": [why_json(address, found) for address, found in report.answers],
        "notes": [english(sentence(note)) for note in report.notes],
        "note_facts": [note_json(note) for note in report.notes],
    }
