"""One IP address."""

from __future__ import annotations

import socket

from geofence.model.frozen import dataclass
from geofence.model.prefixes import AddressSpace, Family, PrefixSet, address_text


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """An IPv4 or IPv6 address; sorts by family, then by number."""

    family: Family
    number: int
    """In network order."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address in full and strict notation (RFC 4291 section 2.2 for IPv6).

        Raises:
            ValueError: the text is not an address.
        """
        for family in Family:
            try:
                packed = socket.inet_pton(family.socket_family, text)
            except (OSError, ValueError):  # ValueError: it has a NUL or is not ASCII
                continue
            return cls(family, int.from_bytes(packed))
        raise ValueError(f"not an address: {text!r}")

    def __str__(self) -> str:
        return address_text(self.family, self.number)

    def is_in(self, addresses: PrefixSet | AddressSpace) -> bool:
        """Whether a set of addresses holds this one."""
        mine = addresses[self.family] if isinstance(addresses, AddressSpace) else addresses
        return mine.family is self.family and self.number in mine
