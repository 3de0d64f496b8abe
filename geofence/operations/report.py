"""Reports of runs and of the lists that take part in them."""

from __future__ import annotations

from enum import StrEnum

from geofence.lean import datetime
from geofence.model.frozen import NamedTuple, dataclass, replace
from geofence.model.prefixes import Family

TYPE_CHECKING = False
if TYPE_CHECKING:  # restore at boot reports no connections, and should not wait for the module
    from geofence.flows.impact import Impact
    from geofence.model.changes import SpaceChange
    from geofence.model.chosen import ChosenBackend
    from geofence.model.lists import ListId, Provenance
    from geofence.model.notes import Note
    from geofence.model.plan import Plan
    from geofence.model.policy import Policy
    from geofence.model.prefixes import AddressSpace


class ListOutcome(StrEnum):
    """How a list took part in a run."""

    RENEWED = "renewed"
    """Its source gave a new version."""
    UNCHANGED = "unchanged"
    """Its source confirmed the stored version."""
    FRESH = "fresh"
    """Its source gave or confirmed it too short a time ago to be asked again."""
    STORED = "stored"
    """The stored version was used without asking the source."""
    KEPT = "kept"
    """It could not be renewed, and the stored version was used."""
    MISSING = "missing"
    """It could not be downloaded, and there is no stored version."""
    REFUSED = "refused"
    """A check refuses it, and there is no stored version."""


class Extent(NamedTuple):
    """How much a list has of one family."""

    addresses: int
    prefixes: int


@dataclass(frozen=True, slots=True)
class StoredList:
    """A stored list without its addresses."""

    id: ListId
    ipv4: Extent
    ipv6: Extent
    provenance: tuple[Provenance, ...]

    @property
    def outcome(self) -> ListOutcome:
        """It was used as it is stored."""
        return ListOutcome.STORED

    @property
    def problem(self) -> str:
        """Nothing is wrong with it."""
        return ""

    @property
    def is_absent(self) -> bool:
        """It is there."""
        return False

    @property
    def checked_at(self) -> datetime | None:
        """The time when its oldest part was last confirmed by its source, UTC."""
        return _oldest(self.provenance)

    def extent(self, family: Family) -> Extent:
        """Return how much it has of one family."""
        return self.ipv4 if family is Family.IPV4 else self.ipv6


@dataclass(frozen=True, slots=True)
class ListReport:
    """One list of a run."""

    id: ListId
    outcome: ListOutcome
    space: AddressSpace
    provenance: tuple[Provenance, ...] = ()
    change: SpaceChange | None = None
    """What a renewed list gained and lost; None if it is new or not renewed."""
    problem: str = ""
    """Why it was not renewed: every source that was tried, and its answer."""

    @property
    def is_absent(self) -> bool:
        """Whether there is no stored version, so that its space is empty."""
        return self.outcome in (ListOutcome.MISSING, ListOutcome.REFUSED)

    @property
    def checked_at(self) -> datetime | None:
        """The time when its oldest part was last confirmed by its source, UTC."""
        return _oldest(self.provenance)

    def former_addresses(self, family: Family) -> int | None:
        """Return how many addresses the version before it had; None if there is none to compare."""
        if self.change is None:
            return None
        gained, lost = self.change.gained[family].size, self.change.lost[family].size
        return self.space[family].size - gained + lost

    def extent(self, family: Family) -> Extent:
        """Return how much it has of one family."""
        held = self.space[family]
        return Extent(held.size, held.prefix_count)


def _oldest(provenance: tuple[Provenance, ...]) -> datetime | None:
    return min((part.checked_at for part in provenance), default=None)


@dataclass(frozen=True, slots=True)
class AllowedTo:
    """Whom the rules allow to reach a service, beside exceptions and local networks."""

    service: str
    names: tuple[str, ...]
    """As the rules write them: ``JP``, ``@nordics``, ``AS4713``."""
    countries: tuple[str, ...]
    """Codes of all countries, also those of the regions."""
    asns: tuple[int, ...]


def allowed_to(policy: Policy) -> tuple[AllowedTo, ...]:
    """Return whom the rules allow to reach each service."""
    found = ((service.name, policy.allowed(service)) for service in policy.services)
    return tuple(
        AllowedTo(name, allowed.written(policy.regions), allowed.countries, allowed.asns)
        for name, allowed in found
    )


@dataclass(frozen=True, slots=True)
class RunReport:
    """The result of ``refresh``, ``apply``, ``restore``, ``allow``, ``revoke`` or ``rollback``."""

    plan: Plan
    """What was changed in the kernel; empty if it held everything already."""
    backend: ChosenBackend
    generation: int | None = None
    """Number of the generation that is in force; None if it could not be recorded."""
    lists: tuple[ListReport, ...] = ()
    notes: tuple[Note, ...] = ()
    """What happened beside."""
    impact: Impact | None = None
    """Connections that the change touches; None if they were not or could not be read."""
    unfenced: tuple[Family, ...] = ()
    """Families whose packets enter no fence, as the rules say."""
    timed_changed: bool = False
    """Whether what is allowed until a time was changed by hand, which no plan shows."""
    degraded: bool = False
    """Whether something is missing: a list was not renewed, or less was done than asked for."""
    news: tuple[Note, ...] = ()
    """Notes that ``[notify]`` is told although the run went well."""

    def with_notes(self, notes: tuple[Note, ...]) -> RunReport:
        """Return the report with more notes, before those that it has."""
        return replace(self, notes=(*notes, *self.notes))
