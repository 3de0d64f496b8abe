"""Typed access to a table of rules; keys that are never read are unknown keys.

A section never raises: it notes what is wrong and returns a default, so that all mistakes are found
in one run. What it returned must not be used once there are any.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from geofence.model.policy import Origin
from geofence.policy.mistakes import Mistake, Problems
from geofence.policy.quantities import utc
from geofence.policy.toml_tree import Array, Node, Scalar, Table, described
from geofence.spelling import nearest, one_of, plain, printable, quoted, without_secrets
from geofence.translation import tr

T = TypeVar("T")
Choice = TypeVar("Choice", bound=StrEnum)

LONGEST_NAME = 40
LONGEST_DESCRIPTION = 200
_HUGE = 10**20
"""No number in rules has more digits."""


class Section:
    """One table, as the schema reads it."""

    def __init__(self, name: str, table: Table, problems: Problems) -> None:
        """Wrap a table.

        Args:
            name: ``exception.push-as``, or empty for the root.
            table: what the rules say there.
            problems: told about every mistake.
        """
        self.name = name
        self.origin = table.origin
        self.broken = False
        """Whether the rules have something else than a table here; that was noted already."""
        self._entries = table.entries
        self._problems = problems
        self._asked: dict[str, None] = {}
        self._tables: set[str] = set()
        self._inner: list[Section] = []
        self._heading = f"[{name}]" if name else ""

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def complain(self, mistake: Mistake, key: str = "") -> None:
        """Note a mistake about the table as a whole or about one key and its value."""
        self._problems.add(self.place(key), mistake, self._path(key) if key else self.name)

    def place(self, key: str) -> Origin:
        """Return where a key stands; without such a key, where the table does."""
        return self._entries[key].origin if key in self._entries else self.origin

    def gives(self, *keys: str) -> bool:
        """Whether any of the keys has a value, right or wrong, other than an empty list."""
        given = (self._entries[key] for key in keys if key in self._entries)
        return self.broken or any(not isinstance(node, Array) or node.items for node in given)

    def text(self, key: str) -> str:
        """Read a description: one line for people; empty without the key."""
        return self.value(key, description, "")

    def flag(self, key: str, *, default: bool) -> bool:
        """Read true or false."""
        node = self._get(key)
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        if node:
            self._expect(key, node, tr("true or false"), *_meant_flag(node))
        return default

    def moment(self, key: str) -> datetime | None:
        """Read a point in time; None without the key."""
        node = self._get(key)
        if isinstance(node, Scalar) and isinstance(node.value, datetime):
            try:
                return utc(node.value)
            except Mistake as mistake:
                self.complain(mistake, key)
        elif node:
            self._expect(key, node, tr("a date and a time in UTC such as 2026-11-26T12:00:00Z"))
        return None

    def percent(self, key: str) -> float:
        """Read a number from 0 to 100."""
        node = self._get(key)
        if isinstance(node, Scalar) and not isinstance(node.value, bool):
            number = node.value
            if isinstance(number, (int, float)) and 0 <= number <= 100:  # noqa: PLR2004 - percent
                return float(number)
        if node:
            expected = tr("a number from 0 to 100, in percent")
            self._expect(key, node, expected, *_meant_percent(node))
        return 0

    def value(self, key: str, read: Callable[[str], T], default: T) -> T:
        """Return what ``read`` makes of a string."""
        node = self._get(key)
        value = self._read(key, node, read) if node else None
        return default if value is None else value

    def values(
        self, key: str, read: Callable[[str], T], *, distinct: bool = True
    ) -> tuple[T, ...] | None:
        """Return what ``read`` makes of each string in a list; None without the key.

        Args:
            key: of the list.
            read: raises a Mistake for what it does not take.
            distinct: whether the same value twice is a mistake.
        """
        node = self._get(key)
        if isinstance(node, Array):
            found = self._read_all(key, node, read)
            if distinct:
                self._find_repeated(key, found)
            return tuple(value for value, _origin in found)
        if node:
            self._expect(key, node, tr("a list of strings"), *_meant_list(node))
        return None

    def numbers(self, key: str, read: Callable[[str], T]) -> tuple[T, ...] | None:
        """Return what ``read`` makes of each number in a list; None without the key.

        The numbers may also be strings.
        """
        node = self._get(key)
        if isinstance(node, Array):
            items = tuple(map(_digits, node.items))
            for item in items:
                if _plain(item) is None:
                    self._expect(key, item, tr("a whole number"))
            texts = tuple(item for item in items if _plain(item) is not None)
            found = self._read_all(key, Array(texts, node.origin), read)
            self._find_repeated(key, found)
            return tuple(value for value, _origin in found)
        if node:
            meant = (f"[{described(node)}]",) if _plain(_digits(node)) is not None else ()
            self._expect(key, node, tr("a list of numbers"), *meant)
        return None

    def table(self, key: str) -> Section:
        """Return a table in this one; an empty one without the key."""
        node = self._get(key)
        self._tables.add(key)
        known = node if isinstance(node, Table) else Table(self.origin)
        section = Section(self._path(key), known, self._problems)
        if node and known is not node:
            section.broken = True
            self._expect(key, node, tr("the table {table}", table=f"[{section.name}]"))
        self._inner.append(section)
        return section

    def named(self, key: str, longest: int = LONGEST_NAME) -> dict[str, Section]:
        """Return the tables ``[key.NAME]`` by their names."""
        return self.tables(key, lambda name: rule_name(name, longest), "NAME")

    def tables(
        self, key: str, read: Callable[[str], object], placeholder: str
    ) -> dict[str, Section]:
        """Return the tables ``[key.…]`` by the rest of their headings.

        Args:
            key: of the table that contains them.
            read: raises a Mistake for a heading that cannot be.
            placeholder: what messages call that rest.
        """
        outer = self.table(key)
        for name in outer:
            try:
                read(name)
            except Mistake as mistake:
                outer.complain(mistake, name)
        inner = {name: outer.table(name) for name in outer}
        for section in inner.values():
            section._heading = f"[{key}.{placeholder}]"  # noqa: SLF001 - of its own kind
        return inner

    def finish(self) -> None:
        """Note every key that was never read, here and in the tables within."""
        self._finish(self._places())

    def _finish(self, places: Mapping[str, Collection[str]]) -> None:
        for key in self:
            if key not in self._asked:
                self.complain(self._unknown(key, places.get(key, ())), key)
        for section in self._inner:
            section._finish(places)  # noqa: SLF001 - of its own kind

    def _unknown(self, key: str, places: Collection[str]) -> Mistake:
        expected = one_of(self._asked) if self._asked else tr("no keys")
        guesses = nearest(key, self._asked)
        if not places or guesses:
            return Mistake(tr("unknown key"), expected, *guesses)
        here = tr("{keys} here", keys=expected)
        if "" in places:
            return Mistake(
                tr("this key belongs before the first [table] of a file, outside all tables"), here
            )
        return Mistake(tr("this key belongs in {tables}", tables=one_of(places)), here)

    def _places(self) -> Mapping[str, Collection[str]]:
        """Return the headings of the tables that have each key; tables themselves are left out."""
        found: dict[str, dict[str, None]] = {}
        for key in self._asked.keys() - self._tables:
            found.setdefault(key, {})[self._heading] = None
        for section in self._inner:
            for key, headings in section._places().items():  # noqa: SLF001 - of its own kind
                found.setdefault(key, {}).update(dict.fromkeys(headings))
        return found

    def _path(self, key: str) -> str:
        bare = key if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key) else quoted(key)
        return f"{self.name}.{bare}" if self.name else bare

    def _get(self, key: str) -> Node | None:
        self._asked[key] = None
        return self._entries.get(key)

    def _expect(self, key: str, node: Node, expected: str, *guesses: str) -> None:
        mistake = Mistake(tr("found {value}", value=described(node)), expected, *guesses)
        self._problems.add(node.origin, mistake, self._path(key))

    def _read(self, key: str, node: Node, read: Callable[[str], T]) -> T | None:
        try:
            if isinstance(node, Scalar) and isinstance(node.value, str):
                return _read_plain(node.value, read)
            raise _not_a_string(node, read)
        except Mistake as mistake:
            self._problems.add(node.origin, mistake, self._path(key))
            return None

    def _read_all(self, key: str, array: Array, read: Callable[[str], T]) -> list[tuple[T, Origin]]:
        values = ((self._read(key, node, read), node.origin) for node in array.items)
        return [(value, origin) for value, origin in values if value is not None]

    def _find_repeated(self, key: str, found: list[tuple[T, Origin]]) -> None:
        first: dict[T, Origin] = {}
        for value, origin in found:
            if value in first:
                again = tr(
                    "{value} is repeated from line {line}",
                    value=without_secrets(str(value)),
                    line=first[value].line,
                )
                twice = Mistake(again, tr("each value only once"))
                self._problems.add(origin, twice, self._path(key))
            first.setdefault(value, origin)


def rule_name(text: str, longest: int = LONGEST_NAME) -> str:
    """Read the name of a service, exception, group, blocklist or region.

    Raises:
        Mistake: it has other characters than names may have, or too many.
    """
    if re.fullmatch(r"[a-z][a-z0-9-]*", text) and len(text) <= longest:
        return text
    meant = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-0123456789")
    raise Mistake(
        tr("{value} is not a valid name", value=quoted(text)),
        tr(
            "a letter and up to {more} letters, digits or hyphens, all lower case",
            more=longest - 1,
        ),
        *([meant] if meant and len(meant) <= longest else []),
    )


def description(text: str) -> str:
    """Read one line for people.

    Raises:
        Mistake: it has line breaks or other invisible characters, or too many characters.
    """
    if text == printable(text) and len(text) <= LONGEST_DESCRIPTION:
        return text
    raise Mistake(
        tr("{value} cannot be shown in one line", value=quoted(text)),
        tr("at most {most} characters, none of them a line break", most=LONGEST_DESCRIPTION),
    )


def argument(text: str) -> str:
    """Read an argument of a program.

    Raises:
        Mistake: it cannot be passed to a program.
    """
    if "\0" in text:
        wrong = tr("{value} contains a NUL character", value=quoted(text))
        raise Mistake(wrong, tr("text without NUL characters"))
    return text


def choice(options: type[Choice]) -> Callable[[str], Choice]:
    """Return a reader of the values of an enumeration.

    Raises:
        Mistake: (the reader) the value is not one of them.
    """

    def read(text: str) -> Choice:
        try:
            return options(text)
        except ValueError:
            wrong = tr("unknown value {value}", value=quoted(text))
            raise Mistake(wrong, one_of(options), *nearest(text, options)) from None

    return read


def _read_plain(text: str, read: Callable[[str], T]) -> T:
    """Return what ``read`` makes of a string; a mistake names full-width letters as such."""
    try:
        return read(text)
    except Mistake as mistake:
        if mistake.guesses or plain(text) == text:
            raise
        read(plain(text))  # may raise a mistake of its own
        wrong = tr("{value} has full-width letters", value=quoted(text))
        raise Mistake(wrong, mistake.expected, quoted(plain(text))) from None


def _plain(node: Node) -> str | None:
    """Return the text of a string; None for any other value."""
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None


def _digits(node: Node) -> Node:
    """Return a whole number as a string of its digits; anything else as it is."""
    if isinstance(node, Scalar) and type(node.value) is int and abs(node.value) < _HUGE:
        return Scalar(str(node.value), node.origin)
    return node


def _meant_flag(node: Node) -> tuple[str, ...]:
    meant = {"true": "true", "yes": "true", "on": "true", "1": "true"}
    meant |= {"false": "false", "no": "false", "off": "false", "0": "false"}
    word = described(node).strip('"').lower()
    return (meant[word],) if word in meant else ()


def _meant_percent(node: Node) -> tuple[str, ...]:
    match = re.fullmatch(r"\s*([0-9]{1,2}(\.[0-9]{1,3})?|100)\s*%?\s*", _plain(node) or "")
    return (match[1],) if match else ()


def _meant_list(node: Node) -> tuple[str, ...]:
    """Return a single string as a list of one."""
    return (f"[{described(node)}]",) if _plain(node) is not None else ()


def _not_a_string(node: Node, read: Callable[[str], object]) -> Mistake:
    """Return the mistake, with a guess where only the quotes are missing."""
    wrong = tr("found {value}", value=described(node))
    if not isinstance(node, Scalar) or isinstance(node.value, bool):
        return Mistake(wrong, tr("a string"))
    text = described(node)
    try:
        read(text)
    except Mistake as mistake:
        return Mistake(wrong, mistake.expected, *mistake.guesses)
    return Mistake(wrong, tr("a string"), quoted(text))
