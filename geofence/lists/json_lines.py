"""The format ``json-lines``: a JSON object a line, as Spamhaus publishes its DROP lists.

::

    {"cidr": "192.0.2.0/24", "sblid": "SBL000001", "rir": "apnic"}
    {"type": "metadata", "timestamp": 1757052000, "records": 1, "copyright": "(c) …"}

The last line tells how many entries there are, so a list that was cut short shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

from geofence.errors import ListError
from geofence.lists.format import Format
from geofence.lists.parsed import ParsedList, Publication
from geofence.lists.sniff import looks_like_json, refuse_markup
from geofence.lists.tolerance import tolerant_list
from geofence.model.frozen import NamedTuple
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family
from geofence.spelling import printable, quoted
from geofence.translation import tr, trn

_PREFIX, _RECORDS = "cidr", "records"
_LONGEST_COPYRIGHT = 200
"""Characters that are kept of it."""

_Object = dict[str, object]


class _Line(NamedTuple):
    number: int
    """Counted from 1, blank lines too."""
    text: str


def parse_json_lines(body: bytes) -> ParsedList:
    """Return the prefixes of a list of JSON lines, of which a few may be invalid.

    Raises:
        ListError: the body is not such a list, its last line is missing or tells another number of
            entries, or too many entries are invalid.
    """
    refuse_markup(body)
    lines = list(_lines(body))
    if not lines:
        raise ListError(tr("The list is empty."))
    trailer = _object(lines[-1].text)
    if trailer is None or _PREFIX in trailer or not _is_count(trailer.get(_RECORDS)):
        raise ListError(
            tr(
                "The list was cut short: its last line does not have the key {key}, with the "
                "number of entries.",
                key=quoted(_RECORDS),
            )
        )
    del lines[-1]
    _require(len(lines), cast("int", trailer[_RECORDS]))
    entries = [_entry(each) for each in _objects(lines)]
    numbers = [line.number for line in lines]
    parsed = tolerant_list(entries, lambda: zip(numbers, entries, strict=True))
    return parsed.published_as(_publication(trailer))


def _lines(body: bytes) -> Iterator[_Line]:
    text = body.decode("utf-8-sig", errors="replace")
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _Line(number, line.strip())


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _require(found: int, stated: int) -> None:
    if found != stated:
        raise ListError(
            trn(
                found,
                "The list was cut short or damaged: it has {number} entry, but its last line says "
                "{stated}.",
                "The list was cut short or damaged: it has {number} entries, but its last line "
                "says {stated}.",
                stated=f"{stated:,}",
            )
        )


def _objects(lines: list[_Line]) -> list[_Object]:
    """Return the objects of all lines.

    Raises:
        ListError: a line is not a JSON object.
    """
    together = _json(f"[{','.join(line.text for line in lines)}]")
    if isinstance(together, list) and len(together) == len(lines):
        objects = [each for each in together if isinstance(each, dict)]
        if len(objects) == len(lines):
            return objects
    return [_checked(line) for line in lines]


def _checked(line: _Line) -> _Object:
    found = _object(line.text)
    if found is None:
        raise ListError(tr("Line {number} of the list is not a JSON object.", number=line.number))
    return found


def _object(text: str) -> _Object | None:
    """Return the object that a text holds; None if it holds none."""
    found = _json(text)
    return cast("_Object", found) if isinstance(found, dict) else None


def _json(text: str) -> object:
    """Return what a text holds; None if it is not JSON."""
    try:
        return cast("object", json.loads(text))
    except (ValueError, RecursionError):
        return None


def _entry(found: _Object) -> str:
    """Return an object's prefix; of one without, a text that is not one and shows what it has."""
    prefix = found.get(_PREFIX)
    return prefix if isinstance(prefix, str) else json.dumps(found)


def _publication(trailer: _Object) -> Publication:
    text = trailer.get("copyright")
    copyright_text = printable(text)[:_LONGEST_COPYRIGHT] if isinstance(text, str) else ""
    return Publication(_moment(trailer.get("timestamp")), copyright_text)


def _moment(value: object) -> datetime | None:
    """Return the time of a number of seconds since 1970; None for what is not such a number."""
    if not _is_count(value):
        return None
    try:
        return datetime.fromtimestamp(cast("int", value), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _parse(_wanted: ListId, _family: Family | None, body: bytes) -> ParsedList:
    """Parse JSON lines; see ``Format.parse``."""
    return parse_json_lines(body)


def _recognise(body: bytes) -> bool:
    """Whether the first line has a prefix, even if it was cut short, or is the last already."""
    if not looks_like_json(body):
        return False
    line = body.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")[0]
    if f'"{_PREFIX}"'.encode() in line:
        return True
    found = _object(line.decode(errors="replace"))
    return found is not None and _RECORDS in found


FORMAT = Format("json-lines", frozenset({ListKind.BLOCKLIST}), False, _recognise, _parse)
