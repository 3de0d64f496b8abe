"""How a test of the notifications went, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable

from geofence.operations.notify import Channel, Sent
from geofence.screen import Screen
from geofence.sentences import note_json, sentence
from geofence.translation import tr


def show_told(screen: Screen, told: Iterable[Sent]) -> None:
    """Print a line for each way by which somebody was told."""
    for each in told:
        for failure in each.failures:
            screen.say(sentence(failure), "bold red")
        if not each.failures:
            screen.say(_went(each), "green")


def _went(told: Sent) -> str:
    return {
        Channel.COMMAND: tr("The program {program} ran and ended well.", program=told.to),
        Channel.MAIL: tr(
            "A mail to {to} was handed to the MTA of this host. See whether it arrives.",
            to=told.to,
        ),
        Channel.WEBHOOK: tr("The URL in {path} took the message.", path=told.to),
    }[told.channel]


def told_json(told: Iterable[Sent]) -> dict[str, object]:
    """Return the same for scripts."""
    return {
        "told": [
            {
                "channel": each.channel.value,
                "to": each.to,
                "sent": not each.failures,
                "note_facts": [note_json(note) for note in each.failures],
            }
            for each in told
        ]
    }
