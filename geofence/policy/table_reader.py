"""Typed access to a table of rules; whatever is not asked for is an unknown key.

A section never raises: it notes what is wrong and answers with a default, so that all mistakes are
found in one go. What it answered must not be used once there are any.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from typing import TypeVar

from geofence.model.policy import Origin
from geofence.policy.mistakes import (
    Mistake,
    Problems,
    nearest,
    one_of,
    plain,
    printable,
    quoted,
    without_secrets,
)
from geofence.policy.toml_tree import Array, Node, Scalar, Table, described

T = TypeVar("T")
Choice = TypeVar("Choice", bound=StrEnum)

LONGEST_NAME = 40
LONGEST_DESCRIPTION = 200


class Section:
    """One table, as the schema reads it."""

    def __init__(self, name: str, table: Table, problems: Problems) -> None:
        """Read a table.

        Args:
            name: ``exception.push-as``, or empty for the root.
            table: what the rules say there.
            problems: told about every mistake.
        """
        self.name = name
        self.origin = table.origin
        self.broken = False
        """It is no table, which was said already."""
        self._entries = table.entries
        self._problems = problems
        self._asked: dict[str, None] = {}
        self._tables: set[str] = set()
        self._inner: list[Section] = []
        self._heading = (
            f"[{name}]" if name else "no table: write it before the first [table] of a file"
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def complain(self, mistake: Mistake, key: str = "") -> None:
        """Note a mistake about the table as a whole or about one key and its value."""
        self._problems.add(self.place(key), mistake, self._path(key) if key else self.name)

    def place(self, key: str) -> Origin:
        """Where a key stands; where the table does, if it has no such key."""
        return self._entries[key].origin if key in self._entries else self.origin

    def gives(self, *keys: str) -> bool:
        """Whether any of the keys has a value, right or wrong, that is no empty list."""
        given = (self._entries[key] for key in keys if key in self._entries)
        return self.broken or any(not isinstance(node, Array) or node.items for node in given)

    def text(self, key: str) -> str:
        """A description: one line for people; empty where the rules give none."""
        return self.value(key, description, "")

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        node = self._get(key)
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        if node:
            self._expect(key, node, "true or false", *_meant_flag(node))
        return default

    def percent(self, key: str) -> float:
        """A number from 0 to 100."""
        node = self._get(key)
        if isinstance(node, Scalar) and not isinstance(node.value, bool):
            number = node.value
            if isinstance(number, (int, float)) and 0 <= number <= 100:  # noqa: PLR2004 - percent
                return float(number)
        if node:
            self._expect(key, node, "a number from 0 to 100, in percent", *_meant_percent(node))
        return 0

    def value(self, key: str, read: Callable[[str], T], default: T) -> T:
        """What ``read`` makes of a string."""
        node = self._get(key)
        value = self._read(key, node, read) if node else None
        return default if value is None else value

    def values(
        self, key: str, read: Callable[[str], T], *, distinct: bool = True
    ) -> tuple[T, ...] | None:
        """What ``read`` makes of each string in a list, or None where the rules have no such key.

        Args:
            key: of the list.
            read: raises a Mistake for what it does not take.
            distinct: the same value twice is a mistake.
        """
        node = self._get(key)
        if isinstance(node, Array):
            found = self._read_all(key, node, read)
            if distinct:
                self._find_repeated(key, found)
            return tuple(value for value, _origin in found)
        if node:
            self._expect(key, node, "a list of strings", *_meant_list(node))
        return None

    def table(self, key: str) -> Section:
        """The table within this one; an empty one where there is none."""
        node = self._get(key)
        self._tables.add(key)
        known = node if isinstance(node, Table) else Table(self.origin)
        section = Section(self._path(key), known, self._problems)
        if node and known is not node:
            section.broken = True
            self._expect(key, node, f"the table [{section.name}]")
        self._inner.append(section)
        return section

    def named(self, key: str, longest: int = LONGEST_NAME) -> dict[str, Section]:
        """The tables ``[key.NAME]`` by their names."""
        outer = self.table(key)
        for name in outer:
            try:
                rule_name(name, longest)
            except Mistake as mistake:
                outer.complain(mistake, name)
        inner = {name: outer.table(name) for name in outer}
        for section in inner.values():
            section._heading = f"[{key}.NAME]"  # noqa: SLF001 - of its own kind
        return inner

    def finish(self) -> None:
        """Note every key that nobody asked for, here and in the tables within."""
        self._finish(self._places())

    def _finish(self, places: Mapping[str, Collection[str]]) -> None:
        for key in self:
            if key not in self._asked:
                self.complain(self._unknown(key, places.get(key, ())), key)
        for section in self._inner:
            section._finish(places)  # noqa: SLF001 - of its own kind

    def _unknown(self, key: str, places: Collection[str]) -> Mistake:
        expected = one_of(self._asked) if self._asked else "no keys"
        guesses = nearest(key, self._asked)
        if places and not guesses:
            return Mistake(f"this key belongs in {one_of(places)}", f"{expected} here")
        return Mistake("unknown key", expected, *guesses)

    def _places(self) -> Mapping[str, Collection[str]]:
        """Headings of the tables that take each key, tables themselves left out."""
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
        mistake = Mistake(f"found {described(node)}", expected, *guesses)
        self._problems.add(node.origin, mistake, self._path(key))

    def _read(self, key: str, node: Node, read: Callable[[str], T]) -> T | None:
        try:
            if isinstance(node, Scalar) and isinstance(node.value, str):
                return _read_plain(node.value, read)
            raise _no_string(node, read)
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
                again = f"{without_secrets(str(value))} again, as in line {first[value].line}"
                twice = Mistake(again, "each only once")
                self._problems.add(origin, twice, self._path(key))
            first.setdefault(value, origin)


def rule_name(text: str, longest: int = LONGEST_NAME) -> str:
    """The name of a service, exception, group or blocklist.

    Raises:
        Mistake: it has other characters than those, or too many.
    """
    if re.fullmatch(r"[a-z][a-z0-9-]*", text) and len(text) <= longest:
        return text
    meant = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-0123456789")
    raise Mistake(
        f"{quoted(text)} is no name",
        f"a letter and up to {longest - 1} letters, digits or hyphens, all lower case",
        *([meant] if meant and len(meant) <= longest else []),
    )


def helper_name(text: str) -> str:
    """The name of a conntrack helper.

    Raises:
        Mistake: the kernel has no helper of such a name.
    """
    if re.fullmatch(r"[A-Za-z0-9._-]{1,15}", text):
        return text
    raise Mistake(
        f"{quoted(text)} is not the name of a conntrack helper",
        'a name of up to 15 letters, digits, dots, hyphens or underscores, such as "sip"',
    )


def description(text: str) -> str:
    """One line for people.

    Raises:
        Mistake: it has line breaks or other characters that cannot be seen, or too many.
    """
    if text == printable(text) and len(text) <= LONGEST_DESCRIPTION:
        return text
    raise Mistake(
        f"{quoted(text)} cannot be shown in one line",
        f"at most {LONGEST_DESCRIPTION} characters, none of them a line break",
    )


def argument(text: str) -> str:
    """An argument of a program.

    Raises:
        Mistake: no program can be given it.
    """
    if "\0" in text:
        raise Mistake(f"{quoted(text)} has a NUL in it", "text that a program can be given")
    return text


def choice(options: type[Choice]) -> Callable[[str], Choice]:
    """A reader that takes the values of an enumeration.

    Raises:
        Mistake: (the reader) the value is none of them.
    """

    def read(text: str) -> Choice:
        try:
            return options(text)
        except ValueError:
            wrong = f"{quoted(text)} is unknown"
            raise Mistake(wrong, one_of(options), *nearest(text, options)) from None

    return read


def any_of(names: Collection[str], what: str) -> Callable[[str], str]:
    """A reader that takes the names of what the rules define.

    Args:
        names: that there are.
        what: they stand for: ``service``.

    Raises:
        Mistake: (the reader) nothing is called so.
    """

    def read(text: str) -> str:
        if text in names:
            return text
        expected = one_of(names) if names else f"a {what} that the rules define"
        raise Mistake(f"there is no {what} {quoted(text)}", expected, *nearest(text, names))

    return read


def _read_plain(text: str, read: Callable[[str], T]) -> T:
    """What ``read`` makes of a string; for one in full-width letters the mistake says so."""
    try:
        return read(text)
    except Mistake as mistake:
        if mistake.guesses or plain(text) == text:
            raise
        read(plain(text))  # a mistake all the same, if another one
        wrong = f"{quoted(text)} has full-width letters"
        raise Mistake(wrong, mistake.expected, quoted(plain(text))) from None


def _plain(node: Node) -> str | None:
    """A string that is wrong only by being one; None for anything else."""
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None


def _meant_flag(node: Node) -> tuple[str, ...]:
    meant = {"true": "true", "yes": "true", "on": "true", "1": "true"}
    meant |= {"false": "false", "no": "false", "off": "false", "0": "false"}
    word = described(node).strip('"').lower()
    return (meant[word],) if word in meant else ()


def _meant_percent(node: Node) -> tuple[str, ...]:
    match = re.fullmatch(r"\s*([0-9]{1,2}(\.[0-9]{1,3})?|100)\s*%?\s*", _plain(node) or "")
    return (match[1],) if match else ()


def _meant_list(node: Node) -> tuple[str, ...]:
    """A single value where a list of one belongs."""
    return (f"[{described(node)}]",) if _plain(node) is not None else ()


def _no_string(node: Node, read: Callable[[str], object]) -> Mistake:
    """Says what was meant where quotes are missing around a number or time."""
    wrong = f"found {described(node)}"
    if not isinstance(node, Scalar) or isinstance(node.value, bool):
        return Mistake(wrong, "a string")
    text = described(node)
    try:
        read(text)
    except Mistake as mistake:
        return Mistake(wrong, mistake.expected, *mistake.guesses)
    return Mistake(wrong, "a string", quoted(text))
