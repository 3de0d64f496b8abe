"""The formats of lists, and which of them a body has.

A new format is a module beside this one that defines a ``Format``, and its line in ``FORMATS``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from geofence.errors import ListError
from geofence.lists import (
    apiban,
    country_csv,
    country_json,
    dshield,
    feed,
    json_lines,
    mmdb,
    text,
)
from geofence.lists.format import Format
from geofence.lists.parsed import ParsedList
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family
from geofence.spelling import one_of, quoted
from geofence.translation import tr

FORMATS: tuple[Format, ...] = (
    country_json.FORMAT,
    mmdb.FORMAT,
    country_csv.FORMAT,
    json_lines.FORMAT,
    dshield.FORMAT,
    apiban.FORMAT,
    feed.FORMAT,
    text.FORMAT,
)
"""In the order in which a body without a given format is compared with them. The last is assumed
of a body that looks like none of them; its parser then says what is wrong."""


def format_names(kind: ListKind) -> tuple[str, ...]:
    """Return the names of the formats that lists of a kind can have."""
    return tuple(each.name for each in FORMATS if kind in each.kinds)


def format_named(name: str) -> Format:
    """Return the format of a name.

    Raises:
        ListError: there is none, as in a list that a newer geofence has stored.
    """
    for each in FORMATS:
        if each.name == name:
            return each
    raise ListError(
        tr(
            "The list has the unknown format {format}; expected {known}.",
            format=quoted(name),
            known=one_of(each.name for each in FORMATS),
        )
    )


def is_database(name: str | None) -> bool:
    """Whether a format is that of databases of all countries; False for None."""
    return name is not None and format_named(name).cut is not None


def format_of(kind: ListKind, body: bytes, given: str | None = None) -> Format:
    """Return the format of a body.

    Args:
        kind: of the list.
        body: as received.
        given: the format by the rules or by a stored list's provenance; None to find it out.

    Raises:
        ListError: there is no format of the given name.
    """
    if given is not None:
        return format_named(given)
    possible = [each for each in FORMATS if kind in each.kinds and each.cut is None]
    return next((each for each in possible if each.recognise(body)), possible[-1])


def cut_out(
    body: bytes, family: Family | None, codes: Collection[str], given: str | None = None
) -> tuple[str, Mapping[str, bytes]]:
    """Cut the lists of some countries out of a database of all countries.

    Args:
        body: the database as received.
        family: that of its URL; None for a database that may have both.
        codes: upper-case codes of the countries.
        given: the name of its format; None to find it out.

    Returns:
        The name of its format, and the lists of those countries that it has.

    Raises:
        ListError: the body is not such a database.
    """
    databases = [each for each in FORMATS if each.cut is not None]
    found = next((each for each in databases if each.recognise(body)), None)
    known = format_named(given) if given else found
    if known is None or known.cut is None:
        raise ListError(
            tr(
                "The source sent no database of all countries ({known}). The URL of lists of one "
                "country each needs {{cc}}.",
                known=one_of(each.name for each in databases),
            )
        )
    return known.name, known.cut(body, family, codes)


def parse_part(
    wanted: ListId, family: Family | None, body: bytes, given: str | None = None
) -> ParsedList:
    """Parse one body of a list.

    Args:
        wanted: which list.
        family: that of the body's URL; None for a body that may have both.
        body: as received.
        given: the name of its format; None to find it out.

    Raises:
        ListError: the body is not what it should be.
    """
    return format_of(wanted.kind, body, given).parse(wanted, family, body)
