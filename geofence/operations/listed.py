"""What views ask of a list, whether its addresses are at hand or not."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from geofence.model.lists import ListId, Provenance
from geofence.model.prefixes import Family
from geofence.operations.report import Extent, ListOutcome


class Listed(Protocol):
    """What is told of a list, whether its addresses are at hand or not."""

    @property
    def id(self) -> ListId:
        """Return which list it is."""
        ...

    @property
    def outcome(self) -> ListOutcome:
        """Return how it took part."""
        ...

    @property
    def provenance(self) -> tuple[Provenance, ...]:
        """Return where it comes from."""
        ...

    @property
    def problem(self) -> str:
        """Return what is wrong with it; empty for nothing."""
        ...

    @property
    def checked_at(self) -> datetime | None:
        """Return when its oldest part was last confirmed by its source, UTC."""
        ...

    @property
    def is_absent(self) -> bool:
        """Whether there is no stored version, so that it has nothing."""
        ...

    def extent(self, family: Family) -> Extent:
        """Return how much it has of one family."""
        ...
