"""Line numbers of the keys, tables and array elements of a TOML document.

``tomllib`` reads TOML but gives no line numbers. This reader goes through a document that
``tomllib`` has accepted, so it can be lenient: it only has to find where things end. It follows
TOML 1.0 (https://toml.io/en/v1.0.0).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

Path = tuple[str | int, ...]
"""Keys of tables and numbers of array elements, from the root: ``("allow", "countries", 0)``."""

LONGEST_PATH = 16
"""Longer paths are not recorded; no rule nests nearly as deep."""

_BLANK = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\n\r]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]+")
_STRING = re.compile(
    r'"""(?:\\.|(?!""").)*"{3,5}'  # up to two quotes may stand before the closing three
    r"|'''(?:(?!''').)*'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)


def locate(text: str) -> Mapping[Path, int]:
    """Return the line, counted from 1, on which each table, key and array element begins.

    A table begins at its own header; without one, where something in it is first mentioned.

    Args:
        text: a document that ``tomllib`` accepts; for any other the result means nothing.
    """
    return _Locator(text).run()


class _Locator:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {(): 1}
        self.elements: dict[Path, int] = {}
        """Number of tables so far in each array of tables."""
        self._line = 1
        self._counted = 0

    def run(self) -> Mapping[Path, int]:
        table: Path = ()
        self._skip(_GAP)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._key_and_value(table)
            self._skip(_GAP)
        return self.lines

    def _skip(self, pattern: re.Pattern[str]) -> str:
        """Go past what the pattern matches here, if anything."""
        match = pattern.match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match.group()

    def _here(self) -> int:
        """Return the line of the current position; positions must only move forward."""
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def _note(self, path: Path) -> None:
        if len(path) <= LONGEST_PATH:
            self.lines.setdefault(path, self._here())

    def _header(self) -> Path:
        array = self.text.startswith("[[", self.at)
        line = self._here()
        self.at += 2 if array else 1
        table: Path = ()
        for part in self._key():
            table = (*self._latest(table), part)
            self._note(table)
        self.at += 2 if array else 1
        if array:
            self.elements[table] = self.elements.get(table, 0) + 1
            table = self._latest(table)
        self.lines[table] = line
        return table

    def _latest(self, path: Path) -> Path:
        """Return the path itself, or for an array of tables that of its last element."""
        return (*path, self.elements[path] - 1) if path in self.elements else path

    def _key_and_value(self, table: Path) -> None:
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path)
        self.at += 1  # the equals sign
        self._skip(_BLANK)
        self._value(path)

    def _key(self) -> Iterator[str]:
        """Yield the parts of a dotted key, up to ``=`` or ``]``."""
        while True:
            self._skip(_BLANK)
            yield self._skip(_BARE_KEY) or _unquoted(self._skip(_STRING))
            self._skip(_BLANK)
            if not self.text.startswith(".", self.at):
                return
            self.at += 1

    def _value(self, path: Path) -> None:
        opening = self.text[self.at : self.at + 1]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        elif not (self._skip(_STRING) or self._skip(_SCALAR)):
            self.at += 1  # never stand still, whatever the text is

    def _array(self, path: Path) -> None:
        self.at += 1
        index = 0
        self._skip(_GAP)
        while not self._ended("]"):
            self._note((*path, index))
            self._value((*path, index))
            self._comma()
            index += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        self._skip(_GAP)
        while not self._ended("}"):
            self._key_and_value(path)
            self._comma()

    def _ended(self, closing: str) -> bool:
        """Whether the array or table ends here; goes past its end."""
        if self.at < len(self.text) and self.text[self.at] != closing:
            return False
        self.at += 1
        return True

    def _comma(self) -> None:
        self._skip(_GAP)
        if self.text.startswith(",", self.at):
            self.at += 1
            self._skip(_GAP)


def _unquoted(key: str) -> str:
    """Return a quoted key without its quotes and escapes."""
    if "\\" not in key:
        return key[1:-1]
    value: str = tomllib.loads(f"key = {key}")["key"]
    return value
