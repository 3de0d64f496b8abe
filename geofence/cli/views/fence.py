"""The families without a fence, as text and as JSON."""

from __future__ import annotations

from collections.abc import Collection

from geofence.model.prefixes import Family
from geofence.translation import tr


def no_fence(unfenced: Collection[Family]) -> str:
    """Return that these families have no fence, without a full stop."""
    if _none(unfenced):
        return tr("There is NO FENCE")
    return tr(
        "There is NO FENCE for {families}", families=", ".join(family.label for family in unfenced)
    )


def fence_json(unfenced: Collection[Family]) -> dict[str, object]:
    """Return the same for scripts."""
    return {"fenced": not _none(unfenced), "unfenced": list(map(str, unfenced))}


def _none(unfenced: Collection[Family]) -> bool:
    return len(unfenced) == len(Family)
