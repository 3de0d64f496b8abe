"""The lists of single countries that are cut out of a database, as text that is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from geofence.lists.parsed import ParsedList, Ranges
from geofence.lists.text import parse_text
from geofence.model.lists import ListId
from geofence.model.prefixes import AddressSpace, Family

_MAPPED, _MAPPED_SIZE = 0xFFFF << 32, 1 << 32
"""``::ffff:0:0/96``: IPv4 addresses written as IPv6 (RFC 4291, 2.5.5.2)."""


class Cuttings:
    """The ranges of some countries, as they are found in a database."""

    def __init__(self, codes: frozenset[str]) -> None:
        self._found = {code: {family: Ranges(family) for family in Family} for code in codes}

    def add(self, code: str, family: Family, first: int, past: int) -> None:
        """Add a range of a wanted country; IPv4 written as IPv6 becomes IPv4."""
        mapped = family is Family.IPV6 and first >= _MAPPED and past <= _MAPPED + _MAPPED_SIZE
        if mapped:
            self._found[code][Family.IPV4].append(first - _MAPPED, past - _MAPPED)
        else:
            self._found[code][family].append(first, past)

    def bodies(self, only: Family | None = None) -> Mapping[str, bytes]:
        """Return the list of each country that has addresses; consumes the ranges.

        Args:
            only: a family, if those of the other are not wanted.
        """
        spaces = {
            code: AddressSpace(*(each.united()[0] for each in ranges.values()))
            for code, ranges in self._found.items()
        }
        texts = {code: list(_lines(code, space, only)) for code, space in spaces.items()}
        return {code: "".join(lines).encode() for code, lines in texts.items() if len(lines) > 1}


def _lines(code: str, space: AddressSpace, only: Family | None) -> Iterator[str]:
    """Yield the lines of a text list, a header with the country first."""
    yield f"# Country: {code} ({code})\n"
    for family in Family:
        if only in (None, family):
            yield from (f"{prefix}\n" for prefix in space[family].prefixes())


def parse_extract(wanted: ListId, family: Family | None, body: bytes) -> ParsedList:
    """Parse a list that was cut out of a database; see ``Format.parse``."""
    return parse_text(body, family, wanted.name)
