"""The rules file that ``setup`` owns: its text, and whether somebody else has changed it.

It is read before all files of the operator, so that these override it.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from geofence.spelling import printable

SETUP_FILE = "00-setup.toml"
"""Its name, in the directory with the operator's rules."""

_HEADER = """\
# Written by "geofence setup", which overwrites it. Put rules of your own into another file of this
# directory: what they say overrides this file.
"""
_CHECKSUM = "# checksum: "
_WIDTH = 100
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}

Value = bool | str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RulesTable:
    """One table of the file."""

    heading: str
    """Without brackets: ``service.sip``; its parts are bare keys."""
    keys: Mapping[str, Value]
    comments: tuple[str, ...] = field(default=(), compare=False)
    """Where it comes from; a line each, or more."""


def file_text(tables: Iterable[RulesTable]) -> str:
    """Return the file's text."""
    body = "".join(f"{line}\n" for line in _lines(tables))
    return f"{_HEADER}{_CHECKSUM}{_checksum(body)}\n{body}"


def is_unchanged(text: str) -> bool:
    """Whether a file is as ``setup`` wrote it."""
    head, mark, rest = text.partition(_CHECKSUM)
    checksum, _, body = rest.partition("\n")
    return bool(mark) and head == _HEADER and checksum == _checksum(body)


def read_tables(text: str) -> tuple[RulesTable, ...]:
    """Return the tables of a file that ``setup`` wrote."""
    document = tomllib.loads(text)
    return tuple(_tables("", document))


def _tables(heading: str, entries: Mapping[str, Any]) -> Iterator[RulesTable]:
    keys = {key: _value(value) for key, value in entries.items() if not isinstance(value, dict)}
    if keys:
        yield RulesTable(heading, keys)
    for key, value in entries.items():
        if isinstance(value, dict):
            yield from _tables(f"{heading}.{key}" if heading else key, value)


def _value(value: Any) -> Value:  # noqa: ANN401 - whatever TOML has
    return tuple(map(str, value)) if isinstance(value, list) else value


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def _lines(tables: Iterable[RulesTable]) -> Iterator[str]:
    for table in tables:
        yield ""
        yield from table_lines(table)


def table_lines(table: RulesTable) -> Iterator[str]:
    """Yield the lines of one table, comments first."""
    for comment in table.comments:
        yield from _comment_lines(comment)
    yield f"[{table.heading}]"
    for key, value in table.keys.items():
        yield from _key_lines(key, value)


def _comment_lines(comment: str) -> Iterator[str]:
    """Yield a comment in lines of the usual width; nothing in it ends a comment early."""
    line = "#"
    for word in printable(comment).split(" "):
        if len(line) + len(word) + 1 > _WIDTH and line != "#":
            yield line
            line = "#"
        line += f" {word}"
    yield line


def _key_lines(key: str, value: Value) -> Iterator[str]:
    line = f"{key} = {toml_value(value)}"
    if len(line) <= _WIDTH or not isinstance(value, tuple):
        yield line
        return
    yield f"{key} = ["
    yield from (f"    {toml_value(each)}," for each in value)
    yield "]"


def toml_value(value: Value) -> str:
    """Return a value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{re.sub(_ESCAPED, _escape, value)}"'
    return f"[{', '.join(map(toml_value, value))}]"


_ESCAPED = re.compile(r'[\\"\x00-\x1f\x7f-\x9f\ud800-\udfff]')


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if "\ud800" <= char <= "\udfff":
        return "\\uFFFD"  # half a character, which no text can have
    return _SHORT.get(char, f"\\u{ord(char):04X}")
