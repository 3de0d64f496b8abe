"""Which parser a list's body needs, by which list it is and how it is published."""

from __future__ import annotations

from collections.abc import Iterable

from geofence.lists.country_json import parse_country_json
from geofence.lists.parsed import ParsedList, joined
from geofence.lists.text import parse_blocklist, parse_text
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family

Part = tuple[Family | None, bytes]
"""One body, and the family a text list is for; None for a body that holds both."""


def parse_part(wanted: ListId, family: Family | None, body: bytes) -> ParsedList:
    """One body of a list.

    A country's body without a family is an aggregated JSON; all else is text. One wrong entry of a
    country's spoils it, for it opens the fence; a blocklist may have a few.

    Raises:
        ListError: the body is not what it should be.
    """
    if wanted.kind is ListKind.BLOCKLIST:
        return parse_blocklist(body)
    if wanted.kind is ListKind.HOST:
        return parse_text(body, family)
    if family is None:
        return parse_country_json(body, wanted.name)
    return parse_text(body, family, wanted.name)


def parse_parts(wanted: ListId, parts: Iterable[Part]) -> ParsedList:
    """All bodies of a list together.

    Raises:
        ListError: a body is not what it should be.
    """
    parsed = [parse_part(wanted, family, body) for family, body in parts]
    return parsed[0] if len(parsed) == 1 else joined(parsed)
