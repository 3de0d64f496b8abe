"""Live flows that a change touches, and whose, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable

from geofence.cli.views.notes import sources_json, unnamed_note
from geofence.flows.impact import Impact, Touched, by_source
from geofence.model.prefixes import address_text
from geofence.screen import Screen
from geofence.wording import plural

_SHOWN = 5
"""Sources that a line names."""


def show_impact(screen: Screen, impact: Impact) -> None:
    """A line for the flows that the change denies, and one for those it admits."""
    for touched, what in (
        (impact.denied, "could not begin any more (they go on unless cut)"),
        (impact.admitted, "could begin now"),
    ):
        if touched:
            screen.say(f"{plural(len(touched), 'live flow')} {what}: {_whose(touched)}")
    if impact.unnamed:
        screen.note(unnamed_note(impact.unnamed), "yellow")


def impact_json(impact: Impact | None) -> dict[str, object] | None:
    """The same for machines; null if live flows were not looked at."""
    if impact is None:
        return None
    return {
        "sources_talking": impact.talking,
        "denied": _sources(impact.denied),
        "admitted": _sources(impact.admitted),
        "unnamed_peers": sources_json(impact.unnamed),
    }


def _whose(touched: Iterable[Touched]) -> str:
    sources = by_source(touched)
    named = ", ".join(str(source) for source in sources[:_SHOWN])
    return f"{named} and {len(sources) - _SHOWN} more" if len(sources) > _SHOWN else named


def _sources(touched: Iterable[Touched]) -> list[dict[str, object]]:
    return [
        {"address": address_text(source.family, source.address), "flows": dict(source.services)}
        for source in by_source(touched)
    ]
