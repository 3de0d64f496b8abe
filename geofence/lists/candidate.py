"""A list that was received and parsed, and waits for the guards."""

from __future__ import annotations

from dataclasses import dataclass

from geofence.lists.parsed import ParsedList
from geofence.model.lists import AcceptedList


@dataclass(frozen=True, slots=True)
class Candidate:
    """What becomes the accepted list, unless a guard refuses it."""

    accepted: AcceptedList
    bodies: tuple[bytes, ...]
    """As received, one for each entry of ``accepted.provenance``."""
    parsed: ParsedList
    """How the bodies write the addresses; ``parsed.space`` is ``accepted.space``."""
