"""Events and outcomes of fetching."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from geofence.lists.parsed import Candidate
from geofence.mirror.memory import MirrorMemory
from geofence.model.frozen import dataclass, field
from geofence.model.lists import AcceptedList, ListId


@dataclass(frozen=True, slots=True)
class Renewed:
    """The source gave a new version, which the guards have not checked yet."""

    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The source confirmed the stored version."""

    accepted: AcceptedList
    """As stored, with the time of this confirmation."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """The source was not asked, since it gave or confirmed the stored version a short time ago."""

    accepted: AcceptedList


@dataclass(frozen=True, slots=True)
class Failed:
    """No source gave the list."""

    why: str
    """One line that names the list, every source that was tried, and what was wrong with it."""


Outcome = Renewed | Unchanged | Fresh | Failed


@dataclass(frozen=True, slots=True)
class FetchReport:
    """The outcome for each list, in the order in which they were wanted."""

    outcomes: Mapping[ListId, Outcome]
    busy: Mapping[str, datetime] = field(default_factory=dict)
    """Hosts that asked for a pause, and until when, UTC."""
    mirrors: MirrorMemory = field(default_factory=MirrorMemory)
    """What the next run is to remember of signed mirrors."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """New versions, for the guards."""
        found = self.outcomes.values()
        return tuple(each.candidate for each in found if isinstance(each, Renewed))

    @property
    def unchanged(self) -> tuple[AcceptedList, ...]:
        """Stored versions that were confirmed."""
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
    size: int
    """Bytes of this piece, decompressed."""


@dataclass(frozen=True, slots=True)
class Retrying:
    """A source failed temporarily."""

    id: ListId
    why: str
    """One clause, without a period, that begins with the URL."""
    seconds: float
    """Until the next attempt."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A list is finished."""

    id: ListId
    outcome: Outcome


Event = Started | Received | Retrying | Finished


def ignore(*_facts: object) -> None:
    """Do nothing with what is told; the default of callbacks."""
