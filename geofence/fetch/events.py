"""What fetching came to, and what it tells meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from geofence.lists.parsed import Candidate
from geofence.model.lists import AcceptedList, ListId


@dataclass(frozen=True, slots=True)
class Renewed:
    """The source gave another version, which awaits the guards."""

    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The source confirmed the version at hand."""

    accepted: AcceptedList
    """As it was, with the time of this confirmation."""


@dataclass(frozen=True, slots=True)
class Failed:
    """No source gave the list."""

    why: str
    """One line that names the list, every source that was tried, and why each did not do."""


Outcome = Renewed | Unchanged | Failed


@dataclass(frozen=True, slots=True)
class FetchReport:
    """The outcome for each list, in the order in which they were asked for."""

    outcomes: Mapping[ListId, Outcome]
    busy: Mapping[str, datetime] = field(default_factory=dict)
    """Hosts that asked to be left alone, and until when, UTC."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """New versions, for the guards."""
        found = self.outcomes.values()
        return tuple(each.candidate for each in found if isinstance(each, Renewed))

    @property
    def unchanged(self) -> tuple[AcceptedList, ...]:
        """Versions at hand that were confirmed."""
        found = self.outcomes.values()
        return tuple(each.accepted for each in found if isinstance(each, Unchanged))


@dataclass(frozen=True, slots=True)
class Started:
    """A list is being fetched."""

    id: ListId


@dataclass(frozen=True, slots=True)
class Received:
    """A piece of a list came in."""

    id: ListId
    octets: int
    """Of this piece, decompressed."""


@dataclass(frozen=True, slots=True)
class Retrying:
    """A source failed in a way that may pass."""

    id: ListId
    why: str
    seconds: float
    """Until the next attempt."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A list is done with."""

    id: ListId
    outcome: Outcome


Event = Started | Received | Retrying | Finished
