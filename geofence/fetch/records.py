"""Questions to DNS and their answers, as values."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from geofence.model.frozen import dataclass
from geofence.model.prefixes import Family


class RecordType(StrEnum):
    """A type of DNS records."""

    A = "A"
    AAAA = "AAAA"
    SRV = "SRV"


ADDRESS_TYPES = {Family.IPV4: RecordType.A, Family.IPV6: RecordType.AAAA}


@dataclass(frozen=True, slots=True)
class Records:
    """The answer to one question."""

    texts: tuple[str, ...] = ()
    """Addresses, or names of servers without a dot at their end; ``""`` for none (RFC 2782)."""
    ttl: int | None = None
    """Seconds for which the answer holds; None if it is not from DNS."""
    failure: str = ""
    """Why DNS could not tell; empty if it could, even if there are no records."""


Ask = Callable[[str, RecordType, float], Records]
"""Returns the records of a name, within so many seconds."""
