"""The format ``csv``: all countries in one table, a network or a range a row.

Known are ``network,country`` and ``start,end,country``, as DB-IP, IP2Location and IPinfo have them,
with or without a heading. Ends of ranges are addresses, or numbers as IP2Location has them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from io import StringIO

from geofence.errors import ListError
from geofence.lists.entries import careful_entry, shown
from geofence.lists.extract import Cuttings, parse_extract
from geofence.lists.format import Format
from geofence.lists.sniff import refuse_json, refuse_markup
from geofence.model.frozen import NamedTuple
from geofence.model.lists import ListKind
from geofence.model.prefixes import Family
from geofence.translation import tr

_HEAD = 4096
"""Bytes of which the first rows decide whether it is such a table."""
_CODE_LENGTH = 2
_NO_COUNTRY = frozenset({"", "-", "--", "ZZ"})
"""What publishers write for networks of no country."""

_NETWORK = ("network", "cidr", "prefix", "subnet")
_START = ("start_ip", "start", "ip_start", "ip_from", "from", "first", "range_start", "first_ip")
_END = ("end_ip", "end", "ip_end", "ip_to", "to", "last", "range_end", "last_ip")
_COUNTRY = ("country_iso_code", "country_code", "iso_code", "countrycode", "iso", "cc", "country")
"""Names of columns, the likeliest first."""

Row = list[str]
_Range = tuple[Family, int, int]
"""Family, first address, and the one past the last."""


class _Columns(NamedTuple):
    """Which column of a table has what."""

    first: int
    last: int | None
    """None: the first one has a network."""
    country: int

    @property
    def needed(self) -> int:
        """The number of columns that a row needs."""
        return max(self.first, self.last or 0, self.country) + 1


def cut(body: bytes, family: Family | None, codes: Collection[str]) -> Mapping[str, bytes]:
    """Cut the lists of some countries out of the table; see ``Format.cut``."""
    refuse_markup(body)
    refuse_json(body)
    text = body.decode("utf-8-sig", errors="replace")
    wanted = frozenset(codes)
    found = Cuttings(wanted)
    columns = _columns(_rows(text))
    read = _reader(text, columns, family)
    for number, row in _wanted(_rows(text), columns, wanted):
        try:
            found.add(_code(row, columns), *read(row))
        except ValueError as error:
            line = tr("Line {number}: {problem}.", number=number, problem=error)
            raise ListError(line) from error
    return found.bodies(family)


def _rows(text: str) -> Iterator[tuple[int, Row]]:
    """Yield the rows with the numbers of their lines; blank ones and comments are left out.

    Raises:
        ListError: the text is not such a table.
    """
    reader = csv.reader(StringIO(text, newline=""))
    try:
        for row in reader:
            if row and not row[0].startswith("#"):
                yield reader.line_num, row
    except csv.Error as error:
        raise ListError(
            tr("Line {number}: {problem}.", number=reader.line_num, problem=error)
        ) from error


def _columns(rows: Iterator[tuple[int, Row]]) -> _Columns:
    """Find out the columns by the heading, or by the first row if there is none.

    Raises:
        ListError: they are unknown.
    """
    _, row = next(rows, (0, []))
    cells = [cell.strip() for cell in row]
    if not any(_is_place(cell) for cell in cells[:2]):
        return _by_heading([cell.casefold().replace(" ", "_") for cell in cells])
    columns = _Columns(0, None, 1) if "/" in cells[0] else _Columns(0, 1, 2)
    code = cells[columns.country] if len(cells) >= columns.needed else None
    if code is None or not (code in _NO_COUNTRY or _is_code(code)):
        raise _unknown()
    return columns


def _by_heading(names: list[str]) -> _Columns:
    country = _first(names, _COUNTRY)
    network, start, end = _first(names, _NETWORK), _first(names, _START), _first(names, _END)
    if country is None and "geoname_id" in names:
        raise ListError(
            tr(
                "The table has geoname_id instead of country codes. Use the database in MaxMind's "
                "format (.mmdb) of the same publisher."
            )
        )
    if country is not None and start is not None and end is not None:
        return _Columns(start, end, country)
    if country is not None and network is not None:
        return _Columns(network, None, country)
    raise _unknown()


def _first(names: list[str], known: Iterable[str]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def _unknown() -> ListError:
    return ListError(
        tr(
            "The table has unknown columns; known are network and country code, or start, end and "
            "country code."
        )
    )


def _is_place(cell: str) -> bool:
    """Whether a cell has a network, an address or a number."""
    try:
        careful_entry(cell, None)
    except ValueError:
        return _is_number(cell)
    return True


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.isdigit()


def _is_code(cell: str) -> bool:
    return len(cell) == _CODE_LENGTH and cell.isascii() and cell.isalpha()


def _code(row: Row, columns: _Columns) -> str:
    return row[columns.country].strip().upper()


def _wanted(
    rows: Iterator[tuple[int, Row]], columns: _Columns, codes: Collection[str]
) -> Iterator[tuple[int, Row]]:
    """Yield the rows of some countries.

    Raises:
        ListError: a row has too few columns, as the last one of a table that was cut short.
    """
    needed = columns.needed
    for number, row in rows:
        if len(row) < needed:
            raise ListError(
                tr(
                    "Line {number} has {found} columns instead of at least {needed}.",
                    number=number,
                    found=len(row),
                    needed=needed,
                )
            )
        if _code(row, columns) in codes:
            yield number, row


def _reader(text: str, columns: _Columns, family: Family | None) -> Callable[[Row], _Range]:
    """Return a reader of the range in a row, which raises a ValueError if it is invalid.

    Numbers do not tell their family, so the whole table does: IPv4 has no number of more than ten
    digits.
    """
    last = columns.last
    if last is None:
        return lambda row: _network(row[columns.first].strip(), family)
    ends = (row[last].strip() for _, row in _rows(text) if len(row) > last)
    large = any(len(end) > _IPV4_DIGITS for end in ends if _is_number(end))
    numbers = Family.IPV6 if large else (family or Family.IPV4)
    return lambda row: _ends(row[columns.first].strip(), row[last].strip(), family, numbers)


_IPV4_DIGITS = len(str((1 << 32) - 1))


def _network(text: str, family: Family | None) -> _Range:
    each, (first, past) = careful_entry(text, family)
    return each, first, past


def _ends(start: str, end: str, family: Family | None, numbers: Family) -> _Range:
    if not (_is_number(start) and _is_number(end)):
        each, (first, past) = careful_entry(f"{start}-{end}", family)
        return each, first, past
    if len(start) > _MOST_DIGITS or len(end) > _MOST_DIGITS or int(end) >> numbers.bits:
        raise ValueError(tr("{entry} is not an address", entry=shown(end)))
    if int(end) < int(start):
        text = shown(f"{start}-{end}")
        raise ValueError(tr("{entry} is a range that ends before it begins", entry=text))
    return numbers, int(start), int(end) + 1


_MOST_DIGITS = len(str((1 << 128) - 1))


def recognise(body: bytes) -> bool:
    """Whether the first rows of a body are those of such a table."""
    head = body[:_HEAD].decode("utf-8-sig", errors="replace")
    whole = head.rpartition("\n")[0] or head
    try:
        refuse_markup(whole.encode())
        refuse_json(whole.encode())
        _columns(_rows(whole))
    except ListError:
        return False
    return True


FORMAT = Format("csv", frozenset({ListKind.COUNTRY}), True, recognise, parse_extract, cut)
