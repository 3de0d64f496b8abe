"""Connections that a change touches, with their sources, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable

from geofence.flows.impact import Impact, Touched, by_source
from geofence.model.prefixes import address_text
from geofence.screen import Screen
from geofence.translation import tr, trn

_SHOWN = 5
"""Sources that a line names."""


def show_impact(screen: Screen, impact: Impact) -> None:
    """Print a line for connections that the change blocks, and one for those that it allows."""
    if impact.denied:
        screen.say(
            trn(
                len(impact.denied),
                "{number} connection is not allowed any more (it goes on without --cut): {sources}",
                "{number} connections are not allowed any more (they go on without --cut): "
                "{sources}",
                sources=_whose(impact.denied),
            )
        )
    if impact.admitted:
        screen.say(
            trn(
                len(impact.admitted),
                "{number} connection becomes allowed: {sources}",
                "{number} connections become allowed: {sources}",
                sources=_whose(impact.admitted),
            )
        )
    if impact.unnamed:
        from geofence.cli.views.notes import unnamed_note  # with all that status shows

        screen.note(unnamed_note(impact.unnamed), "yellow")


def impact_json(impact: Impact | None) -> dict[str, object] | None:
    """Return the same for scripts; null if connections were not read."""
    if impact is None:
        return None
    from geofence.cli.views.notes import sources_json

    return {
        "sources_talking": impact.talking,
        "denied": _sources(impact.denied),
        "admitted": _sources(impact.admitted),
        "unnamed_peers": sources_json(impact.unnamed),
    }


def _whose(touched: Iterable[Touched]) -> str:
    sources = by_source(touched)
    named = ", ".join(str(source) for source in sources[:_SHOWN])
    if len(sources) <= _SHOWN:
        return named
    return tr("{named} and {number} more", named=named, number=len(sources) - _SHOWN)


def _sources(touched: Iterable[Touched]) -> list[dict[str, object]]:
    return [
        {"address": address_text(source.family, source.address), "flows": dict(source.services)}
        for source in by_source(touched)
    ]
