"""A TOML document in which every value knows where it stands, and how two of them are merged."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time

from geofence.model.policy import Origin
from geofence.policy.mistakes import Mistake, Problems, plain, printable, quoted
from geofence.policy.toml_lines import Path, locate

DEEPEST = 6
"""Tables and arrays within one another; ``guard.shrink`` and its like need half of that."""

Plain = str | int | float | bool | datetime | date | time


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string, number, boolean, date or time."""

    value: Plain
    origin: Origin


@dataclass(frozen=True, slots=True)
class Array:
    """An array."""

    items: tuple[Node, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``origin`` is where it was last written to."""

    origin: Origin
    entries: Mapping[str, Node] = field(default_factory=dict)


Node = Scalar | Array | Table


_OTHER_SPELLING = {"url": "urls", "urls": "url"}
"""One thing under two keys: whichever is written later counts."""


def merged(earlier: Table, later: Table) -> Table:
    """Both tables together; where both have a key, tables are merged and the later value counts."""
    entries = dict(earlier.entries)
    for key in later.entries:
        if _OTHER_SPELLING.get(key) not in later.entries:
            entries.pop(_OTHER_SPELLING.get(key, ""), None)
    for key, new in later.entries.items():
        old = entries.get(key)
        if isinstance(old, Table) and isinstance(new, Table):
            entries[key] = merged(old, new)
        else:
            entries[key] = new
    return Table(later.origin, entries)


def parse(text: str, file: str, problems: Problems) -> Table | None:
    """The document as a tree.

    Args:
        text: of the file.
        file: its name, for ``Origin``.
        problems: told what is wrong with it; then the answer is of no use.

    Returns:
        The root table, or None for what is no TOML.
    """
    # Only "\r\n" and "\n" end lines in TOML, so these are the lines that an editor shows.
    try:
        document = tomllib.loads(text)
        lines = locate(text)
    except tomllib.TOMLDecodeError as error:
        place = _place(file, text, str(error))
        line = text.splitlines()[place.line - 1 : place.line]
        problems.add(place, _syntax_mistake(str(error), "".join(line)))
    except ValueError:
        problems.add(Origin(file, _line_of_longest_number(text)), _TOO_LONG_A_NUMBER)
    except RecursionError:
        problems.add(file, _TOO_DEEP)
    else:
        return _Planter(file, lines, problems).table((), document)
    return None


_TOO_DEEP = Mistake("nests too deeply", f"at most {DEEPEST} tables or arrays within one another")
_TOO_LONG_A_NUMBER = Mistake("has a number of thousands of digits", "a number of a few digits")


class _Planter:
    def __init__(self, file: str, lines: Mapping[Path, int], problems: Problems) -> None:
        self._file = file
        self._lines = lines
        self._problems = problems

    def _origin(self, path: Path) -> Origin:
        return Origin(self._file, self._lines[path])

    def table(self, path: Path, entries: Mapping[str, object]) -> Table:
        nodes = {key: self.node((*path, key), value) for key, value in entries.items()}
        return Table(self._origin(path), nodes)

    def node(self, path: Path, value: object) -> Node:
        origin = self._origin(path)
        if isinstance(value, Plain):
            return Scalar(value, origin)
        if len(path) > DEEPEST:
            self._problems.add(origin, _TOO_DEEP)
            return Table(origin)
        if isinstance(value, list):
            items = (self.node((*path, index), item) for index, item in enumerate(value))
            return Array(tuple(items), origin)
        if isinstance(value, dict):
            return self.table(path, value)
        raise TypeError(f"tomllib made a {type(value).__name__}.")


_POSITION = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


def _place(file: str, text: str, error: str) -> Origin:
    found = _POSITION.search(error)
    last = text.rstrip("\n").count("\n") + 1
    return Origin(file, int(found["line"]) if found and found["line"] else last)


_FULL_WIDTH = re.compile("[\uff01-\uff5e\u3000]")
"""The ASCII signs as Japanese input methods give them, and their blank."""


def _syntax_mistake(error: str, line: str) -> Mistake:
    """The parser's complaint in the form of ours; it is short English, "Invalid value"."""
    found = _POSITION.search(error)
    complaint = printable(_POSITION.sub("", error))
    wide = _FULL_WIDTH.search(line)
    if wide:
        complaint += f"; {quoted(wide[0])} is full-width, write {quoted(plain(wide[0]))}"
    column = f"column {found['column']}" if found and found["column"] else "the end"
    return Mistake(
        f"no valid TOML at {column} ({complaint[:1].lower()}{complaint[1:]})",
        'lines such as key = "text", key = ["a", "b"] or [table.name]',
    )


def _line_of_longest_number(text: str) -> int:
    longest = max(re.finditer(r"[0-9_]+", text), key=lambda match: len(match.group()))
    return text.count("\n", 0, longest.start()) + 1


def described(node: Node) -> str:
    """What a wrong value is, for messages."""
    match node:
        case Table():
            return "a table"
        case Array():
            return "a list"
        case Scalar(bool(value)):
            return "true" if value else "false"
        case Scalar(str(value)):
            return quoted(value)
        case Scalar(int(value)):
            return str(value) if abs(value) < 10**20 else "a huge number"
        case Scalar(value):
            return str(value)
