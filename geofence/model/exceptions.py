"""Named exceptions and countries that are allowed, with or without an end."""

from __future__ import annotations

from datetime import datetime, timedelta

from geofence.model.catalog import CatalogFacts
from geofence.model.frozen import dataclass, field, replace
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace

GRACE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class NamedException:
    """A named list of addresses that is always allowed: ``[exception.NAME]``."""

    name: str
    description: str = ""
    hosts: tuple[str, ...] = ()
    """Host names; the addresses that they resolve to are allowed."""
    srv: tuple[str, ...] = ()
    """Names of SRV records; the addresses of all servers that they give are allowed."""
    sip: tuple[str, ...] = ()
    """Domains; the addresses of all hosts that SIP software finds for them are allowed."""
    prefixes: AddressSpace = field(default_factory=AddressSpace)
    """Addresses that are allowed whatever the host names resolve to."""
    feed: str = ""
    """URL or absolute path of a list of its addresses; empty: none. One with a feed has no names in
    DNS."""
    paths: tuple[str, ...] = ()
    """Where the prefixes are in the JSON of its feed; empty: anywhere."""
    last_known: AddressSpace = field(default_factory=AddressSpace)
    """Used in place of host names that were never resolved, or a feed that was never accepted."""
    within: AddressSpace = field(default_factory=AddressSpace)
    """All addresses that its host names may resolve to, or its feed have; empty: any."""
    grace: timedelta = GRACE
    """How long an address stays allowed after an answer of DNS without it."""
    services: tuple[str, ...] = ()
    """Names of the services that it is for; empty means all."""
    group: str | None = None
    """Another name under which several exceptions are allowed and revoked together."""
    enabled: bool = True
    note: str = ""
    """Why it was allowed; text for people."""
    until: datetime | None = None
    """When it ends, UTC; None: never."""
    derived_from: tuple[str, ...] = ()
    """Objects of Asterisk's configuration that it was derived from; none for one of the rules."""
    catalog: CatalogFacts = field(default_factory=CatalogFacts)
    """Who it is, and where its addresses come from."""

    @property
    def names(self) -> tuple[ListId, ...]:
        """The lists of its host names, SRV records and SIP domains."""
        hosts = (ListId(ListKind.HOST, host) for host in self.hosts)
        records = (ListId(ListKind.SRV, name) for name in self.srv)
        return (*hosts, *records, *(ListId(ListKind.SIP, name) for name in self.sip))

    @property
    def lists(self) -> tuple[ListId, ...]:
        """The lists of its addresses: those of its names in DNS, or its feed."""
        return (*self.names, *((ListId(ListKind.FEED, self.name),) if self.feed else ()))

    @property
    def written(self) -> AddressSpace:
        """The addresses that the rules themselves have for it, whatever DNS or a feed says."""
        return self.prefixes | self.last_known

    def opens(self, service: str) -> bool:
        """Whether the exception, once enabled, allows its addresses to reach the service."""
        return not self.services or service in self.services

    def at(self, now: datetime) -> NamedException:
        """Return the exception as it is at a time: one that has ended is disabled."""
        return replace(self, enabled=False) if has_ended(self.until, now) else self


@dataclass(frozen=True, slots=True)
class CountrySwitch:
    """A country that the command line allows or blocks: ``[country.US]``."""

    code: str
    """Upper-case ISO 3166-1 alpha-2 code."""
    allowed: bool
    services: tuple[str, ...] = ()
    """Names of the services that it is for; empty means all."""
    note: str = ""
    """Text for people."""
    until: datetime | None = None
    """When it stops being allowed, UTC; None: never."""
    revoked_after: bool = False
    """Whether it is blocked after that, since it was before, whatever the other rules say."""

    def concerns(self, service: str) -> bool:
        """Whether it is for the service."""
        return not self.services or service in self.services

    def at(self, now: datetime) -> CountrySwitch | None:
        """Return what is left of it at a time; None for nothing."""
        if not has_ended(self.until, now):
            return self
        blocked = CountrySwitch(self.code, allowed=False, services=self.services)
        return blocked if self.revoked_after else None


def has_ended(until: datetime | None, now: datetime) -> bool:
    """Whether something with that end is over."""
    return until is not None and until <= now
