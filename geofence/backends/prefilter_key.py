"""Prefilters: which there are, and what their sets are called.

Apart from what they hold: who reads what one set holds needs nothing of rules.
"""

from __future__ import annotations

from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family

LENGTH = 16
"""Of the prefixes. IPv4 and IPv6 alike: there are never more than 65,536, and what registries give
out to one country (RFC 7020) lies close together in both."""
NEAR = "near"
"""Begins the names of their sets."""


class PrefilterKey(NamedTuple):
    """Which prefilter."""

    service: str
    family: Family

    @property
    def name(self) -> str:
        """Unique among geofence's sets: ``near4-sip``."""
        return f"{NEAR}{self.family.digit}-{self.service}"

    @classmethod
    def parse(cls, name: str) -> PrefilterKey | None:
        """Return the key of a name; None for a name that geofence does not give."""
        stem, _, service = name.partition("-")
        for family in Family:
            if stem == f"{NEAR}{family.digit}":
                return cls(service, family)
        return None
