"""Whether a fence stands, in words and for machines."""

from __future__ import annotations

from collections.abc import Collection

from geofence.model.prefixes import Family


def no_fence(unfenced: Collection[Family]) -> str:
    """That there is none for these families, without a full stop."""
    return "There is NO FENCE" + ("" if _none(unfenced) else f" for {', '.join(unfenced)}")


def fence_json(unfenced: Collection[Family]) -> dict[str, object]:
    """The same for machines."""
    return {"fenced": not _none(unfenced), "unfenced": list(map(str, unfenced))}


def _none(unfenced: Collection[Family]) -> bool:
    return len(unfenced) == len(Family)
