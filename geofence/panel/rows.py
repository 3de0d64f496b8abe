"""Rows of a table as they are asked for: filtered, sorted, and a page at a time. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PAGE = 100
"""Rows of a page."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader asks for."""

    words: str = ""
    """Each of which a row has to contain."""
    column: int = -1
    """By which rows are sorted; -1: as they are."""
    descending: bool = False
    page: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """Rows of one page."""

    rows: Sequence[Sequence[str]]
    found: int
    """How many rows have the words."""
    pages: int
    page: int
    """Which of them this is, from 0."""


def read_wanted(query: Mapping[str, str], columns: int) -> Wanted:
    """Return what the parameters of an address ask for; what makes no sense is left out."""
    column = _number(query.get("sort", ""), columns)
    return Wanted(
        query.get("words", "")[:100],
        -1 if column is None else column,
        query.get("order") == "down",
        _number(query.get("page", ""), 1 << 20) or 0,
    )


def _number(text: str, limit: int) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() and int(text) < limit else None


def shown(headings: Sequence[str], rows: Sequence[Sequence[str]], wanted: Wanted) -> Shown:
    """Return the rows of the page that is asked for."""
    words = wanted.words.casefold().split()
    found = [row for row in rows if all(word in " ".join(row).casefold() for word in words)]
    if 0 <= wanted.column < len(headings):
        is_number = headings[wanted.column].startswith(">")
        found.sort(key=lambda row: _key(row[wanted.column], is_number=is_number))
        if wanted.descending:
            found.reverse()
    pages = max(1, -(-len(found) // PAGE))
    page = min(wanted.page, pages - 1)
    return Shown(found[page * PAGE : (page + 1) * PAGE], len(found), pages, page)


def _key(cell: str, *, is_number: bool) -> tuple[float, str]:
    digits = cell.replace(",", "")
    return (float(digits) if is_number and digits.isdecimal() else -1.0, cell.casefold())
