"""Lists of prefixes and their provenance."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from geofence.model.frozen import NamedTuple, dataclass, replace
from geofence.model.prefixes import AddressSpace, Family

MOST_ADDRESSES = 64
"""Of one name in both families together; pools of real providers have a few dozen at most."""


class ListKind(StrEnum):
    """What a list is for."""

    COUNTRY = "country"
    ASN = "asn"
    """The networks of an autonomous system."""
    BLOCKLIST = "blocklist"
    HOST = "host"
    SRV = "srv"
    """The servers of a service, by SRV records."""
    FEED = "feed"
    """The addresses of an exception, as their owner publishes them."""
    SIP = "sip"
    """The hosts of a domain that SIP software contacts: by SRV records, and by the name itself."""

    @property
    def is_from_dns(self) -> bool:
        """Whether the list has the addresses that DNS gives for a name."""
        return self in (ListKind.HOST, ListKind.SRV, ListKind.SIP)

    @property
    def allows(self) -> bool:
        """Whether the addresses of its lists are allowed, so that no fence is made without them."""
        return self in (ListKind.COUNTRY, ListKind.ASN)

    @property
    def admits(self) -> bool:
        """Whether publishers decide with its lists who is allowed, so that gains are checked."""
        return self.allows or self is ListKind.FEED


class ListId(NamedTuple):
    """Which list: ``country JP``, ``asn 4713``, ``blocklist drop``, ``feed telnyx-media``."""

    kind: ListKind
    name: str
    """Upper-case country code, AS number in decimal, host name, SRV name, domain, or the name of
    the blocklist or of the exception that it is for."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class DroppedAddress:
    """An address that is allowed although the last answer of DNS does not have it."""

    address: str
    since: datetime
    """When the first answer without it came, UTC."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of one body of a list."""

    url: str
    etag: str | None
    sha256: str
    """Hexadecimal hash of the body as it was received, after HTTP decoding; of a database that has
    many countries, that of the whole."""
    fetched_at: datetime
    """When the body was received, UTC."""
    checked_at: datetime
    """When the source last confirmed it (equals ``fetched_at`` until a 304), UTC."""
    family: Family | None = None
    """The family that the body is for; None for a body with both."""
    format: str | None = None
    """Name of the body's format; None in lists that were stored before formats had names."""
    published_at: datetime | None = None
    """When its publisher made it, UTC; None if the body does not tell."""
    copyright: str = ""
    """The publisher's, if the body has it: terms may ask to keep it with the addresses."""
    ttl: int | None = None
    """Seconds for which an answer of DNS holds; None if that is unknown."""
    dropped: tuple[DroppedAddress, ...] = ()
    """Addresses of a name that its last answer does not have."""


@dataclass(frozen=True, slots=True)
class AcceptedList:
    """A list that passed its checks; later runs fall back to it."""

    id: ListId
    space: AddressSpace
    provenance: tuple[Provenance, ...]
    """One entry per body: a JSON has one, text lists may have one per family."""
    carried: bytes = b""
    """What the next version is made from, of a format whose source gives only what is new."""

    @property
    def checked_at(self) -> datetime:
        """The time when the oldest part was last confirmed by its source, UTC."""
        return min(part.checked_at for part in self.provenance)

    def confirmed(self, at: datetime) -> AcceptedList:
        """Return the list after its source confirmed it, UTC."""
        parts = tuple(replace(part, checked_at=at) for part in self.provenance)
        return replace(self, provenance=parts)
