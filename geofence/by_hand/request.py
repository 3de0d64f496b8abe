"""What ``allow`` and ``revoke`` are asked for, and what they make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from geofence.model.lists import ListId
from geofence.model.notes import Note
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace
from geofence.policy.owned import Owned


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks ``allow`` or ``revoke`` for."""

    words: tuple[str, ...] = ()
    """Exceptions, groups, addresses, prefixes, ranges and host names, as they were typed."""
    countries: tuple[str, ...] = ()
    """Upper-case ISO 3166-1 alpha-2 codes."""
    name: str = ""
    """For the exception that has the addresses and hosts; empty: a name is derived."""
    services: tuple[str, ...] = ()
    """Services that are to be reached; empty: all."""
    note: str = ""
    until: datetime | None = None
    """When it ends, UTC; None: never."""

    @property
    def arguments(self) -> str:
        """The arguments of the command, as the log and the history show them."""
        options = (
            *(f"--country {code}" for code in self.countries),
            *((f"--name {self.name}",) if self.name else ()),
            *(f"--service {service}" for service in self.services),
            *((f"--until {self.until:%Y-%m-%dT%H:%M:%SZ}",) if self.until else ()),
        )
        return " ".join((*self.words, *options))


@dataclass(frozen=True, slots=True)
class Situation:
    """What a request is held against."""

    owned: Owned
    """The command line's file, without what has ended."""
    policy: Policy
    """All rules together, as they are now."""
    others: Policy
    """The rules of all other files."""
    lists: Mapping[ListId, AddressSpace] = field(default_factory=dict)
    """Lists at hand."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of the file."""

    owned: Owned
    notes: tuple[Note, ...] = ()
    enabled: tuple[str, ...] = ()
    """Names of exceptions that must be enabled now; a file that is read later may say otherwise."""
    disabled: tuple[str, ...] = ()
    """Names of exceptions that must be disabled now."""
    revoked: AddressSpace = field(default_factory=AddressSpace)
    """Addresses that are no longer allowed by what was revoked."""


def is_longer(wanted: datetime | None, held: datetime | None) -> bool:
    """Whether the wanted end is later; None is no end."""
    return held is not None and (wanted is None or wanted > held)


def end_text(until: datetime | None) -> str | None:
    """Return an end as notes have it."""
    return until.isoformat() if until else None
