"""Sentences about the backend that was chosen."""

from __future__ import annotations

from geofence.model.chosen import ChosenBackend, ChosenBy
from geofence.translation import english, join, tr


def backend_text(chosen: ChosenBackend) -> str:
    """Return the name of a backend with the reason for it: ``ipset, as the rules say``."""
    if chosen.by is ChosenBy.NOBODY:
        return chosen.name or tr("unknown")
    text = tr("{backend}, {reason}", backend=chosen.name, reason=_reason(chosen))
    if not chosen.against:
        return text
    return tr("{reason} ({details})", reason=text, details=join(" ", chosen.against))


def _reason(chosen: ChosenBackend) -> str:
    if chosen.by is ChosenBy.GENERATION:
        return tr("as generation {number} was", number=chosen.generation)
    if chosen.by is ChosenBy.TARGET:
        return tr("in the cluster of the target {target}", target=chosen.target)
    return {
        ChosenBy.RULES: tr("as the rules say"),
        ChosenBy.OPTION: tr("as --backend says"),
        ChosenBy.AUTOMATIC: tr("chosen automatically"),
    }[chosen.by]


def backend_json(chosen: ChosenBackend) -> dict[str, object]:
    """Return the backend for scripts: its name with the reason in English, and both as facts."""
    return {
        "backend": english(backend_text(chosen)),
        "backend_name": chosen.name or None,
        "backend_reason": {
            "kind": chosen.by.value,
            "generation": chosen.generation,
            "against": [english(each) for each in chosen.against],
            "target": chosen.target or None,
        },
    }
