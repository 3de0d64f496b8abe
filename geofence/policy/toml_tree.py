"""TOML documents as trees in which every value knows its file and line, and their merging."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, time

from geofence.model.frozen import dataclass, field
from geofence.model.policy import Origin
from geofence.policy.mistakes import Mistake, Problems
from geofence.policy.toml_lines import Path, locate
from geofence.spelling import plain, printable, quoted
from geofence.translation import tr

DEEPEST = 6
"""Tables and arrays within one another that rules may have; they need half of that."""

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


_SPELLINGS = frozenset({"url", "urls", "parts"})
"""One thing under several keys: the later one counts."""


def merged(earlier: Table, later: Table) -> Table:
    """Merge two tables; of a key that both have, tables are merged and the later value counts."""
    entries = dict(earlier.entries)
    if _SPELLINGS & later.entries.keys():
        for key in _SPELLINGS - later.entries.keys():
            entries.pop(key, None)
    for key, new in later.entries.items():
        old = entries.get(key)
        if isinstance(old, Table) and isinstance(new, Table):
            entries[key] = merged(old, new)
        else:
            entries[key] = new
    return Table(later.origin, entries)


def parse(text: str, file: str, problems: Problems) -> Table | None:
    """Parse a document.

    Args:
        text: of the file.
        file: its name, for ``Origin``.
        problems: told what is wrong with it; then the result must not be used.

    Returns:
        The root table, or None if the text is not TOML.
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
        problems.add(Origin(file, _line_of_longest_number(text)), _too_long_a_number())
    except RecursionError:
        problems.add(file, _too_deep())
    else:
        return _Builder(file, lines, problems).table((), document)
    return None


def _too_deep() -> Mistake:
    return Mistake(
        tr("is nested too deeply"),
        tr("at most {most} tables or arrays within one another", most=DEEPEST),
    )


def _too_long_a_number() -> Mistake:
    return Mistake(tr("has a number of thousands of digits"), tr("a number of a few digits"))


class _Builder:
    """Builds the tree of one document."""

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
            self._problems.add(origin, _too_deep())
            return Table(origin)
        if isinstance(value, list):
            items = (self.node((*path, index), item) for index, item in enumerate(value))
            return Array(tuple(items), origin)
        if isinstance(value, dict):
            return self.table(path, value)
        raise TypeError(f"tomllib returned a {type(value).__name__}.")


_POSITION = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


def _place(file: str, text: str, error: str) -> Origin:
    found = _POSITION.search(error)
    last = text.rstrip("\n").count("\n") + 1
    return Origin(file, int(found["line"]) if found and found["line"] else last)


_FULL_WIDTH = re.compile("[\uff01-\uff5e\u3000]")
"""ASCII characters and the blank as Japanese input methods give them."""


def _syntax_mistake(error: str, line: str) -> Mistake:
    """Return the parser's complaint, which is short English, as a mistake."""
    found = _POSITION.search(error)
    complaint = printable(_POSITION.sub("", error))
    complaint = f"{complaint[:1].lower()}{complaint[1:]}"
    expected = tr('lines such as key = "text", key = ["a", "b"] or [table.name]')
    wide = _FULL_WIDTH.search(line)
    if wide:
        complaint = tr(
            "{complaint}; {wide} is a full-width character, write {narrow}",
            complaint=complaint,
            wide=quoted(wide[0]),
            narrow=quoted(plain(wide[0])),
        )
    if found and found["column"]:
        wrong = tr(
            "not valid TOML at column {column} ({complaint})",
            column=found["column"],
            complaint=complaint,
        )
    else:
        wrong = tr("not valid TOML at the end ({complaint})", complaint=complaint)
    return Mistake(wrong, expected)


def _line_of_longest_number(text: str) -> int:
    longest = max(re.finditer(r"[0-9_]+", text), key=lambda match: len(match.group()))
    return text.count("\n", 0, longest.start()) + 1


def described(node: Node) -> str:
    """Return how messages show a wrong value."""
    match node:
        case Table():
            return tr("a table")
        case Array():
            return tr("a list")
        case Scalar(bool(value)):
            return "true" if value else "false"
        case Scalar(str(value)):
            return quoted(value)
        case Scalar(int(value)):
            return str(value) if abs(value) < 10**20 else tr("a huge number")
        case Scalar(value):
            return str(value)
