"""What a run tells its caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from geofence.active_exceptions import InForce
from geofence.errors import RulesError
from geofence.model.lists import ListId, Provenance
from geofence.model.notes import Note
from geofence.model.plan import Count, Plan
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.ruleset import LocalNetwork
from geofence.state.outcomes import Probation, RunOutcome

if TYPE_CHECKING:  # restore at boot reports neither, and should not wait for them
    from geofence.explain import Answer, Explanation
    from geofence.flows.connections import Connections
    from geofence.flows.impact import Impact
    from geofence.guards.objection import Objection
    from geofence.operations.status_facts import Traffic
    from geofence.other_rules import OtherRules
    from geofence.plan.by_country import CountryChange


class ListOutcome(StrEnum):
    """How a list came into a run."""

    RENEWED = "renewed"
    """Its source gave a new version."""
    UNCHANGED = "unchanged"
    """Its source confirmed the version at hand."""
    STORED = "stored"
    """The network was not asked; the last accepted version."""
    KEPT = "kept"
    """It could not be renewed; the last accepted version stands in."""
    MISSING = "missing"
    """It could not be had and no version was ever accepted."""
    REFUSED = "refused"
    """A guard objects to it and no version was ever accepted."""


@dataclass(frozen=True, slots=True)
class ListReport:
    """One list of a run."""

    id: ListId
    outcome: ListOutcome
    space: AddressSpace
    provenance: tuple[Provenance, ...] = ()
    former: AddressSpace | None = None
    """What a renewed list held before; None if it is new or not renewed."""
    problem: str = ""
    """Why it was not renewed: every source that was tried, and what it answered."""

    @property
    def is_absent(self) -> bool:
        """Whether there is no accepted version, so that its space is empty."""
        return self.outcome in (ListOutcome.MISSING, ListOutcome.REFUSED)

    @property
    def checked_at(self) -> datetime | None:
        """When the oldest part was last confirmed by its source, UTC."""
        return min((part.checked_at for part in self.provenance), default=None)


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What ``plan`` found."""

    plan: Plan
    backend: str
    """Its name, and why it was chosen."""
    lists: tuple[ListReport, ...]
    impact: Impact | None = None
    """Live flows that the change would touch; None if they were not or could not be read."""
    notes: tuple[str, ...] = ()
    """What could not be read, and what that means for the plan."""
    countries: tuple[CountryChange, ...] = ()
    """Addresses that come to be allowed, or no longer are, by country."""
    refusals: tuple[Objection, ...] = ()
    """What guards have against the plan: a run would be refused."""
    next_run: str = "refresh"
    """The verb that would carry it out."""

    def with_notes(self, notes: tuple[str, ...]) -> PlanReport:
        """Return the report with more to tell, before what it tells already."""
        return replace(self, notes=(*notes, *self.notes))


@dataclass(frozen=True, slots=True)
class RunReport:
    """What ``refresh``, ``apply``, ``restore``, ``allow`` or ``revoke`` did."""

    plan: Plan
    """What was changed in the kernel; empty if it held everything already."""
    backend: str
    generation: int | None = None
    """Number of the generation that is in force; None if it could not be recorded."""
    lists: tuple[ListReport, ...] = ()
    notes: tuple[Note, ...] = ()
    """What happened beside."""
    impact: Impact | None = None
    """Live flows that the change touches; None if they were not or could not be read."""
    unfenced: tuple[Family, ...] = ()
    """Families whose packets enter no fence, as the rules would have it."""
    degraded: bool = False
    """Done, but with at least one list that could not be renewed, or less than was asked for."""
    news: tuple[Note, ...] = ()
    """What ``[notify]`` hears though all is well, such as an unusual gain that was confirmed."""

    def with_notes(self, notes: tuple[Note, ...]) -> RunReport:
        """Return the report with more notes, before those that it has."""
        return replace(self, notes=(*notes, *self.notes))


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One fenced service as the kernel has it."""

    name: str
    ports: tuple[str, ...]
    dropped: Count


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What ``status`` found."""

    backend: str
    unfenced: tuple[Family, ...]
    """Families whose packets enter no fence."""
    drift: tuple[str, ...]
    """How the kernel differs from the generation in force; empty: not at all."""
    generation: int | None
    applied_at: datetime | None
    reason: str
    services: tuple[ServiceStatus, ...]
    interfaces: tuple[str, ...] = ()
    """Those that are trusted, and so never fenced."""
    local: tuple[LocalNetwork, ...] = ()
    """Networks that are trusted, each on its interface."""
    traffic: Traffic | None = None
    """What live connections tell; None if they were not looked at."""
    other_rules: OtherRules | None = None
    """What rules of other programs do to fenced services; None if they were not looked at."""
    rules_edited: bool | None = None
    """Whether rules and lists on disk mean another fence; None if that is not known."""
    restorable: bool = False
    """Whether ``restore`` would bring a recorded fence back."""
    rules: tuple[str, ...] = ()
    """The kernel's, in the backend's own language."""
    counting_since: datetime | None = None
    """Since when ``services`` count what they dropped, UTC; None if that is not known."""
    sets: Mapping[str, int] = field(default_factory=dict)
    """Number of prefixes by name of set."""
    lists: tuple[ListReport, ...] = ()
    stale: tuple[str, ...] = ()
    """A sentence for each list that no source has confirmed for longer than the rules allow."""
    exceptions: InForce = field(default_factory=InForce)
    """Which are in force, and which are allowed and not."""
    exceptions_off: tuple[str, ...] = ()
    """Names of those that ``allow`` would switch on."""
    wrong_rules: RulesError | None = None
    """Why the rules do not load; then nothing is known of lists and exceptions."""
    last: RunOutcome | None = None
    """How the last run ended that was to keep the fence up to date; None if none is known."""
    probation: Probation | None = None
    """What waits for ``confirm``; None if nothing does."""
    probation_over: bool = False
    """Whether it was not confirmed in time; then the next run brings the former state back."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WhyReport:
    """What ``why`` found."""

    countries: tuple[str, ...]
    """Codes of the countries whose lists at hand hold the address."""
    countries_at_hand: tuple[str, ...]
    """Codes of all countries that were looked into."""
    explanations: tuple[Explanation, ...]
    """By the rules and lists on disk: what is so after the next run."""
    now: tuple[Answer, ...] | None = None
    """By the kernel, for the same ports; None if it could not be read."""
    next_run: str = "apply"
    """The verb that makes the kernel hold the rules and lists on disk."""
    connections: tuple[Connections, ...] = ()
    """Live ones from the address to fenced services."""
    ending: str = ""
    """How to end them; empty where there are none."""
    notes: tuple[str, ...] = ()
