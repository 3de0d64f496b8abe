"""The families without a fence, as text and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from geofence.lean import datetime
from geofence.model.prefixes import Family
from geofence.translation import tr, trn
from geofence.wording import age, moment


def no_fence(unfenced: Collection[Family]) -> str:
    """Return that these families have no fence, without a full stop."""
    if _none(unfenced):
        return tr("There is NO FENCE")
    return tr(
        "There is NO FENCE for {families}", families=", ".join(family.label for family in unfenced)
    )


def applied_text(number: int | None, at: datetime, by: str, now: datetime) -> str:
    """Return which generation is in force, and when and by which command it was applied."""
    return tr(
        "Generation {number}, applied {age} ({time}) by {command}",
        number=number,
        age=age(at, now),
        time=moment(at),
        command=by,
    )


def fence_json(unfenced: Collection[Family]) -> dict[str, object]:
    """Return the same for scripts."""
    return {"fenced": not _none(unfenced), "unfenced": list(map(str, unfenced))}


def _none(unfenced: Collection[Family]) -> bool:
    return len(unfenced) == len(Family)


def observed_text(services: Sequence[str]) -> str:
    """Return that services are only observed, as one sentence."""
    return trn(
        len(services),
        "{services} is observed: nothing is dropped.",
        "{services} are observed: nothing is dropped.",
        services=", ".join(services),
    )
