"""The format ``dshield``: first address, last address and prefix length in columns.

::

    # comments
    Start	End	Netmask	Attacks	Name	Country	email
    192.0.2.0	192.0.2.255	24	1234	EXAMPLE	US	abuse@example.com
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from geofence.errors import ListError
from geofence.lists.entries import careful_entry, shown
from geofence.lists.format import Format
from geofence.lists.parsed import BadLine, ParsedList, Ranges, parsed_list
from geofence.lists.sniff import refuse_json, refuse_markup
from geofence.lists.tolerance import refuse_many, take_mapped
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family
from geofence.translation import tr

_TITLES = re.compile(r"start\tend\b", re.IGNORECASE)
_ROW = re.compile(rb"[0-9A-Fa-f.:]+\t[0-9A-Fa-f.:]+\t[0-9]{1,3}(?:[\t\r\n]|\Z)")
"""How a row of such a list begins."""
_HEAD = re.compile(rb"(?:\xef\xbb\xbf)?(?:[ \t\r]*(?:[#;][^\n]*)?\n)*")
"""Comments and blank lines before the first row."""
_HAS_COMMENTS = re.compile(r"^\s*(?:[#;]|start\tend\b)", re.IGNORECASE | re.MULTILINE)
_COLUMNS = 3
_LENGTH = re.compile(r"[0-9]{1,3}")


def parse_dshield(body: bytes) -> ParsedList:
    """Return the ranges of a list in columns, of which a few may be invalid.

    Raises:
        ListError: the body is not such a list, or too many of its lines are invalid.
    """
    refuse_markup(body)
    refuse_json(body)
    text = body.decode("utf-8-sig", errors="replace")
    found = {each: Ranges(each) for each in Family}
    skipped: list[BadLine] = []
    rows = list(_rows(text))
    if not rows and not _HAS_COMMENTS.search(text):
        raise ListError(tr("The list is empty."))
    for number, row in rows:
        try:
            family, first, past = _range(row)
        except ValueError as error:
            skipped.append(BadLine(number, str(error)))
        else:
            found[family].append(first, past)
    refuse_many(skipped, len(rows), text.count("\n") + 1)
    ipv4, ipv6 = found[Family.IPV4], found[Family.IPV6]
    take_mapped(ipv4, ipv6)
    return parsed_list(ipv4, ipv6, skipped)


def _rows(text: str) -> Iterator[tuple[int, str]]:
    """Yield each row with the number of its line."""
    for number, line in enumerate(text.split("\n"), start=1):
        row = line.strip("\r")
        if row.strip() and not row.lstrip().startswith(("#", ";")) and not _TITLES.match(row):
            yield number, row


def _range(row: str) -> tuple[Family, int, int]:
    """Read one row.

    Raises:
        ValueError: the row is invalid; the message is a clause without a period.
    """
    columns = [column.strip() for column in row.split("\t")]
    if len(columns) < _COLUMNS:
        raise ValueError(tr("{entry} does not have three columns", entry=shown(row)))
    low, high, length = columns[:_COLUMNS]
    family, (first, past) = careful_entry(f"{low}-{high}", None)
    if not _LENGTH.fullmatch(length) or int(length) > family.bits:
        raise ValueError(tr("{entry} has no prefix length", entry=shown(row)))
    if past - first != 1 << (family.bits - int(length)):
        raise ValueError(
            tr(
                "{entry} is not as large as a /{length}",
                entry=shown(f"{low}-{high}"),
                length=int(length),
            )
        )
    return family, first, past


def _parse(_wanted: ListId, _family: Family | None, body: bytes) -> ParsedList:
    """Parse a list in columns; see ``Format.parse``."""
    return parse_dshield(body)


def _recognise(body: bytes) -> bool:
    """Whether the first line after the comments is a row, or the titles of the columns."""
    head = _HEAD.match(body)
    rest = body[head.end() if head else 0 :][:1024]
    return bool(_ROW.match(rest)) or bool(_TITLES.match(rest.decode(errors="replace")))


FORMAT = Format("dshield", frozenset({ListKind.BLOCKLIST}), False, _recognise, _parse)
