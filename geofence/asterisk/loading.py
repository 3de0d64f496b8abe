"""Loading one configuration file with whatever it includes, as Asterisk does."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from geofence.asterisk.files import Absent, Files
from geofence.asterisk.lines import (
    BLANKS,
    SPECIAL,
    NestedTooDeeplyError,
    split,
    uncommented,
    without_mark,
)
from geofence.asterisk.patterns import TooManyFilesError, matches
from geofence.asterisk.reading import ReadingWarning, WarningKind
from geofence.asterisk.sections import Key, PlainLines, Section, Sections, printable

_DEEPEST = 11
"""Files within each other, the first included."""
MOST_WORK = 2_000_000
"""Keys and lines, in all; what takes longer counts as several. A panel needs 70 a phone."""
_HEADER_WORK = 5
_INCLUDE_WORK = 50
_LONG = 1_000
"""Characters of a line from which its own length counts as work."""
_MOST_FILES = 20_000
_MOST_BYTES = 64 * 1024 * 1024
_UNSEEN = {Absent.OUTSIDE: WarningKind.OUTSIDE, Absent.UNREADABLE: WarningKind.UNREADABLE}


@dataclass(slots=True)
class Loaded:
    """A configuration file with its includes."""

    name: str
    sections: list[Section] = field(default_factory=list)
    """All of them, templates included; empty where the file is not valid."""
    present: bool = False
    """Whether Asterisk finds the file."""
    valid: bool = True
    """False where Asterisk refuses the file whole."""
    seen: bool = True
    """False where the file exists, or may, and its content is not known."""
    files: list[str] = field(default_factory=list)
    warnings: list[ReadingWarning] = field(default_factory=list)
    unseen: list[ReadingWarning] = field(default_factory=list)

    @property
    def counts(self) -> bool:
        """Whether Asterisk loads something from the file."""
        return self.present and self.valid and self.seen

    def section(self, name: str) -> Section | None:
        """Return the first section of a name, as Asterisk finds it; templates do not count."""
        return next(
            (each for each in self.sections if not each.template and each.name.lower() == name),
            None,
        )

    @property
    def live(self) -> list[Section]:
        """All sections that are no templates."""
        return [each for each in self.sections if not each.template]


class _LineError(Exception):
    """A line ends the reading of its file."""

    def __init__(self, error: str, kind: WarningKind = WarningKind.SYNTAX, **data: str) -> None:
        super().__init__(error)
        self.kind = kind
        self.data: dict[str, object] = {"error": error, **data}


class _RefusedError(Exception):
    """The whole configuration cannot be read: a cycle, or too much of it."""

    def __init__(self, kind: WarningKind, where: str) -> None:
        super().__init__(kind)
        self.warning = ReadingWarning(kind, printable(where))


def load(files: Files, name: str, in_database: Collection[str] = ()) -> Loaded:
    """Load a configuration file.

    Args:
        files: the configuration directory.
        name: the file, relative to it.
        in_database: files in place of which Asterisk reads a database.
    """
    return _Loader(files, name, in_database).loaded()


@dataclass(slots=True)
class _Run:
    """What one ``#include`` carries from one of its files to the next."""

    section: Section | None
    depth: int = 0
    """How many block comments are open."""
    line: int = 0
    """The number of the line that is read."""
    begun: bool = False
    """Whether a file was read before; only the first may begin with a mark."""


class _Loader:
    """Reads files into one list of sections."""

    def __init__(self, files: Files, name: str, in_database: Collection[str]) -> None:
        self._files = files
        self._in_database = in_database
        self._sections = Sections()
        self._current: Section | None = None
        """The section defined last, in any file."""
        self._result = Loaded(name)
        self._within: list[str] = []
        self._level = 0
        self._bytes = 0
        self._work = 0

    def loaded(self) -> Loaded:
        """Return all of it."""
        result = self._result
        try:
            result.present = self._include(result.name, "")
        except _RefusedError as error:
            result.present, result.valid = True, False
            result.warnings.append(error.warning)
        if result.valid:
            result.sections = self._sections.all
        return result

    def _include(self, pattern: str, where: str) -> bool:
        """Read all files that a pattern names; whether there was one."""
        if pattern in self._in_database:
            self._unseen(WarningKind.REALTIME, where or printable(pattern), what=pattern, table="")
            return True
        if self._level == _DEEPEST:
            raise _RefusedError(WarningKind.INCLUDE_CYCLE, where)
        self._count(_INCLUDE_WORK + len(pattern) * ("{" in pattern) * 10, where)
        self._level += 1
        run = _Run(self._current)
        found = False
        try:
            for path in matches(pattern, self._files):
                content = Absent.OUTSIDE if path is None else self._content(path, where)
                if content is Absent.MISSING:
                    continue
                found = True
                if isinstance(content, Absent):
                    self._unseen(
                        _UNSEEN[content], where or pattern, path=printable(path or pattern)
                    )
                elif not self._file(str(path), content, run):
                    return True  # without a level less, as Asterisk counts
        except TooManyFilesError as error:
            raise _RefusedError(WarningKind.TOO_LARGE, where or pattern) from error
        self._level -= 1
        return found

    def _content(self, path: str, where: str) -> bytes | Absent:
        if path in self._within:
            raise _RefusedError(WarningKind.INCLUDE_CYCLE, where)
        content = self._files.content(path)
        if content is Absent.TOO_LARGE:
            raise _RefusedError(WarningKind.TOO_LARGE, path)
        if not isinstance(content, Absent):
            self._bytes += len(content)
            self._result.files.append(path)
            if self._bytes > _MOST_BYTES or len(self._result.files) > _MOST_FILES:
                raise _RefusedError(WarningKind.TOO_LARGE, path)
        return content

    def _unseen(self, kind: WarningKind, where: str, **data: object) -> None:
        self._result.unseen.append(ReadingWarning(kind, where, data))
        if not self._within:
            self._result.seen = False

    def _warn(self, kind: WarningKind, where: str, **data: object) -> None:
        self._result.warnings.append(ReadingWarning(kind, where, data))

    def _file(self, path: str, content: bytes, run: _Run) -> bool:
        """Read one file; False where an error ended it."""
        self._within.append(path)
        try:
            self._lines(path, content, run)
        except _LineError as error:
            self._fail(path, run, error)
            return False
        finally:
            self._within.pop()
        if run.depth:
            self._warn(WarningKind.COMMENT_OPEN, printable(path))
        return True

    def _fail(self, path: str, run: _Run, error: _LineError) -> None:
        where = _place(path, run.line)
        self._warn(error.kind, where, **error.data)
        if len(self._within) > 1:
            self._warn(WarningKind.CUT_AT_ERROR, where, **error.data)
        else:
            self._result.valid = False

    def _lines(self, path: str, content: bytes, run: _Run) -> None:
        lines, long = split(content)
        if not run.begun:
            lines[0] = without_mark(lines[0])
        run.begun = True
        for at in sorted(long):
            self._warn(WarningKind.LINE_TOO_LONG, _place(path, at + 1))
        plain = 0
        """How many lines before this one are plain and not handed over yet."""
        for at, line in enumerate(lines):
            if not line or (line[0] not in SPECIAL and ";" not in line and "+=" not in line):
                plain += 1
                continue
            self._plain(lines[at - plain : at], path, at - plain, run)
            plain = 0
            run.line = at + 1
            self._special(line, path, run)
        self._plain(lines[len(lines) - plain :], path, len(lines) - plain, run)

    def _plain(self, lines: list[str], path: str, before: int, run: _Run) -> None:
        """Take lines of which each is an assignment or empty."""
        if run.depth or not lines:
            return
        if run.section is None:
            run.line = before + next((at for at, line in enumerate(lines, 1) if line), 0)
            if any(lines):
                raise _LineError("no-section")
            return
        self._count(len(lines), path)
        run.section.add_plain(PlainLines(lines, path, before + 1))

    def _special(self, text: str, path: str, run: _Run) -> None:
        """Take a line that may be anything."""
        self._count(1 + (len(text) // 4 if len(text) > _LONG else 0), path)
        if run.depth or ";" in text:
            try:
                text, run.depth = uncommented(text, run.depth)
            except NestedTooDeeplyError as error:
                raise _LineError("comments") from error
        text = text.strip(BLANKS)
        if not text:
            return
        if text[0] == "[":
            self._header(text, path, run)
        elif text[0] == "#":
            self._directive(text, path, run)
        else:
            self._assignment(text, path, run)

    def _assignment(self, text: str, path: str, run: _Run) -> None:
        section = run.section
        if section is None:
            raise _LineError("no-section")
        at = 0
        if text[0] == "\\":
            text, at = text[1:], 1
            if not text or text[0] in BLANKS:
                raise _LineError("escape")
        equals = text.find("=", at)
        if equals < 0:
            return
        name, value = text[:equals], text[equals + 1 :]
        if equals > at and text[equals - 1] == "+":
            name = name[:-1].strip(BLANKS)
            self._count(len(section.keys) // 10, path)
            if _extended(section, name, value):
                return
        elif value.startswith(">"):
            value = value[1:]
        name = name.strip(BLANKS)
        if name:
            section.keys.append(Key(name, value.strip(BLANKS), path, run.line))

    def _count(self, work: int, path: str) -> None:
        self._work += work
        if self._work > MOST_WORK:
            raise _RefusedError(WarningKind.TOO_LARGE, path)

    def _header(self, text: str, path: str, run: _Run) -> None:
        end = text.find("]")
        if end < 0:
            raise _LineError("no-bracket")
        self._count(_HEADER_WORK, path)
        new = Section(text[1:end], path, run.line)
        target = new
        if text[end + 1 : end + 2] == "(":
            close = text.find(")", end)
            if close < 0:
                raise _LineError("no-parenthesis")
            for each in text[end + 2 : close].split(","):
                target = self._apply(each, new, target)
        if target is new:
            self._sections.append(new)
            self._current = new
        run.section = target

    def _apply(self, option: str, new: Section, target: Section) -> Section:
        """Take one word in the parentheses of a header; return where keys go after it."""
        if option == "!":
            target.template = True
            return target
        if not option.startswith("+"):
            base = self._sections.base(option)
            if base is None:
                raise _LineError("no-base", name=printable(option))
            self._count(len(base.keys), new.file)
            target.keys.extend(base.keys[:])
            return target
        found, examined = self._sections.addition(new.name, option[1:])
        self._count(examined // 5, new.file)
        if found is None:
            raise _LineError("no-addition", name=printable(new.name))
        if target is new:
            self._current = found
            found.template |= new.template
            found.keys.extend(new.keys)
        return found

    def _directive(self, text: str, path: str, run: _Run) -> None:
        end = next((at for at, each in enumerate(text) if each in BLANKS), len(text))
        word, argument = text[1:end].lower(), text[end:].strip(BLANKS)
        if word not in ("include", "tryinclude", "exec") or not argument:
            return
        closing = {'"': '"', "<": ">"}.get(argument[0])
        if closing and argument.endswith(closing):
            argument = argument[1:-1]
        where = _place(path, run.line)
        if word == "exec":
            self._unseen(WarningKind.EXEC, where, command=printable(argument))
        elif not self._include(argument, where) and word == "include":
            raise _LineError("include", WarningKind.INCLUDE_MISSING, path=printable(argument))


def _place(path: str, line: int) -> str:
    return f"{printable(path)}:{line}"


def _extended(section: Section, name: str, value: str) -> bool:
    """Append to the last value of a key, as ``+=`` does; False where there is no such key."""
    last = next((key for key in reversed(section.keys) if key.name == name), None)
    if last is None:
        return False
    for at, key in enumerate(section.keys):
        same = key.name.lower() == name.lower()
        if same and (not last.value or key.value.lower() == last.value.lower()):
            section.keys[at] = last._replace(value=(last.value + value).strip(BLANKS))
            return True
    return False
