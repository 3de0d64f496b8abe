"""Sections and keys of the configuration, and which section a header means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from geofence.asterisk.lines import BLANKS


class Key(NamedTuple):
    """A line ``name = value``."""

    name: str
    value: str
    file: str
    line: int

    def is_named(self, name: str) -> bool:
        """Whether it has a name, which is in lower case."""
        return self.name.lower() == name


class PlainLines(NamedTuple):
    """Lines of a file that are assignments or empty, with nothing special in them."""

    lines: list[str]
    file: str
    line: int
    """The number of the first."""

    def keys(self) -> list[Key]:
        """Parse them."""
        return [
            key
            for number, line in enumerate(self.lines, self.line)
            for key in self._key(line, number)
        ]

    def named(self, name: str) -> list[Key]:
        """Parse those of one name, which is in lower case."""
        text = self.lower()
        found = []
        position = text.find(f"\n{name}")
        while position >= 0:
            at = text.count("\n", 0, position)
            found += [
                key for key in self._key(self.lines[at], self.line + at) if key.is_named(name)
            ]
            position = text.find(f"\n{name}", position + 1)
        return found

    def lower(self) -> str:
        """Return all of it in lower case, each line behind a newline: quick to search."""
        return "\n".join(["", *self.lines]).lower()

    def _key(self, line: str, number: int) -> tuple[Key, ...]:
        name, equals, value = line.partition("=")
        name = name.strip(BLANKS)
        if not equals or not name:
            return ()
        return (Key(name, value.removeprefix(">").strip(BLANKS), self.file, number),)


@dataclass(slots=True, eq=False)
class Section:
    """A section with what templates and additions brought it; the parser alone changes it."""

    name: str
    file: str
    line: int
    template: bool = False
    _keys: list[Key] = field(default_factory=list)
    _plain: list[PlainLines] = field(default_factory=list)
    """What follows the keys and is parsed when somebody asks: most of a large file never is."""

    @property
    def where(self) -> str:
        """File and name, for people."""
        return printable(f"{self.file} [{self.name}]")

    @property
    def keys(self) -> list[Key]:
        """All keys in their order."""
        if self._plain:
            for each in self._plain:
                self._keys += each.keys()
            self._plain.clear()
        return self._keys

    def add_plain(self, lines: PlainLines) -> None:
        """Add lines at the end."""
        self._plain.append(lines)

    def mentions(self, names: Iterable[str]) -> bool:
        """Whether one of some names, in lower case, may be among the keys."""
        texts = [key.name.lower() for key in self._keys] + [each.lower() for each in self._plain]
        return any(name in text for text in texts for name in names)

    def named(self, name: str) -> list[Key]:
        """Return all keys of a name, which is in lower case."""
        found = [key for key in self._keys if key.is_named(name)]
        for each in self._plain:
            found += each.named(name)
        return found

    def first(self, name: str) -> str | None:
        """Return the first value of a key."""
        return next((key.value for key in self.named(name)), None)

    def last(self, name: str) -> str | None:
        """Return the last value of a key."""
        return next((key.value for key in reversed(self.named(name))), None)


def printable(text: str) -> str:
    """Return text from a file without characters that a terminal would obey."""
    return text if text.isprintable() else ascii(text)[1:-1]


class Sections:
    """All sections in their order, found by name as Asterisk finds them."""

    def __init__(self) -> None:
        self.all: list[Section] = []
        self._named: dict[str, list[Section]] = {}

    def append(self, section: Section) -> None:
        """Add a section at the end."""
        self.all.append(section)
        self._named.setdefault(section.name.lower(), []).append(section)

    def base(self, name: str) -> Section | None:
        """Return the section or template from which ``[x](name)`` inherits.

        No name at all means the first section of the configuration.
        """
        return next(iter(self._of(name)), None)

    def addition(self, name: str, wanted: str) -> tuple[Section | None, int]:
        """Return where ``[name](+wanted)`` adds, and how many keys were looked at for it."""
        conditions, templates_too = _conditions(wanted)
        examined = 0
        for section in self._of(name) if conditions is not None else ():
            examined += 1
            if section.template and not templates_too:
                continue
            examined += len(section.keys) if conditions else 0
            if all(_has(section, each) for each in conditions or ()):
                return section, examined
        return None, examined

    def _of(self, name: str) -> list[Section]:
        return self._named.get(name.lower(), []) if name else self.all


_Condition = tuple[re.Pattern[str], re.Pattern[str]]
_SIMPLE = re.compile(r"[\w\s.^$/:@%,;#<>~!\"'&=-]*")
"""Of regular expressions, those that Python reads as Asterisk does, and in no time."""


def _conditions(wanted: str) -> tuple[list[_Condition] | None, bool]:
    """Return what ``type=aor&context=in`` asks for, and whether a template will do.

    None stands for what nothing meets.
    """
    conditions: list[_Condition] = []
    templates_too = False
    for each in wanted.split("&") if wanted.strip() else ():
        name, equals, rest = each.partition("=")
        name, value = name.strip(), rest.split("=", 1)[0].strip()
        if not equals:
            return None, False
        if name == "TEMPLATES":
            templates_too = value.lower() in ("include", "restrict")
        else:
            conditions.append((_expression(name), _expression(value)))
    return conditions, templates_too


def _expression(text: str) -> re.Pattern[str]:
    """Compile a simple regular expression; anything else is compared as it is written."""
    return re.compile(text if _SIMPLE.fullmatch(text) else re.escape(text))


def _has(section: Section, condition: _Condition) -> bool:
    name, value = condition
    return any(name.search(key.name) and value.search(key.value) for key in section.keys)
