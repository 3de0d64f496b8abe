"""Bytes of a configuration file as lines without comments, exactly as Asterisk cuts them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

BLANKS = "".join(map(chr, range(1, 33)))
"""What counts as blank: the space and everything before it."""
_BUFFER = 8191
"""Bytes that Asterisk reads at once; a longer line is skipped."""
_SURELY_SHORT = _BUFFER // 4
"""Characters that never take more bytes than the buffer has."""
_MOST_NESTED = 256
_BYTE_ORDER_MARK = "\ufeff"
_MARK_AS_BYTES = _BYTE_ORDER_MARK.encode().decode("latin-1")
"""The same at the head of a file that is not UTF-8 in the rest."""
SPECIAL = frozenset([*BLANKS, "[", "#", "\\"])
"""How lines begin that need a closer look; so do those with ``;`` or ``+=``."""


class NestedTooDeeplyError(ValueError):
    """So many block comments within each other that Asterisk never returns."""


def split(content: bytes) -> tuple[list[str], frozenset[int]]:
    """Return the lines of a file, and the places of those that are too long, which are empty."""
    lines, long = _cut(content)
    if lines[0].startswith(_MARK_AS_BYTES):
        lines[0] = _BYTE_ORDER_MARK + lines[0].removeprefix(_MARK_AS_BYTES)
    return lines, long


def _cut(content: bytes) -> tuple[list[str], frozenset[int]]:
    encoding = _encoding(content)
    if b"\0" in content:
        pieces = list(_split_at_zeros(content, encoding))
        return [each or "" for each in pieces], _places(each is None for each in pieces)
    lines = content.decode(encoding).split("\n")
    if max(map(len, lines)) <= _SURELY_SHORT:
        return lines, frozenset()
    long = _places(
        len(line) > _SURELY_SHORT and len(line.encode(encoding)) >= _BUFFER for line in lines
    )
    for at in long:
        lines[at] = ""
    return lines, long


def _places(marks: Iterable[bool]) -> frozenset[int]:
    return frozenset(at for at, mark in enumerate(marks) if mark)


def _encoding(content: bytes) -> str:
    """Return UTF-8, or where that does not fit, what takes any byte for a character."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _split_at_zeros(content: bytes, encoding: str) -> Iterator[str | None]:
    """Yield the same where zero bytes end what Asterisk sees of a line, but not the line."""
    pieces = _pieces(content)
    for piece in pieces:
        if _fills(piece):
            for rest in pieces:
                if not _fills(rest):
                    break
            yield None
        else:
            yield piece.split(b"\0", 1)[0].rstrip(b"\n").decode(encoding, "replace")


def _pieces(content: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(content):
        found = content.find(b"\n", start, start + _BUFFER)
        end = start + _BUFFER if found < 0 else found + 1
        yield content[start:end]
        start = end


def _fills(piece: bytes) -> bool:
    return len(piece) == _BUFFER and b"\0" not in piece and not piece.endswith(b"\n")


def without_mark(line: str) -> str:
    """Return a line without the mark with which some editors begin a file."""
    return line.removeprefix(_BYTE_ORDER_MARK)


def uncommented(line: str, depth: int) -> tuple[str, int]:
    """Return what a line says outside comments, and how many block comments are open after it.

    A stray ``--;`` makes the depth negative: then everything up to the next ``;--`` is a comment.

    Raises:
        NestedTooDeeplyError: more block comments are open than Asterisk can count.
    """
    if ";" not in line:
        return ("", depth) if depth else (line, depth)
    return _Comments(line, depth).result()


class _Comments:
    """The search for comments in one line; it follows Asterisk's own step by step."""

    def __init__(self, line: str, depth: int) -> None:
        self._rest = line
        """What is not looked at yet, and what was looked at since ``_kept`` ended."""
        self._from = 0
        """Where in the rest the search goes on."""
        self._depth = depth
        self._live: str | None = None if depth else ""
        """Text before the rest; None while all of the line is in a comment."""
        self._open = False
        """Whether a block comment began in this line, after live text."""

    def result(self) -> tuple[str, int]:
        """Return the text, and the depth after the line."""
        while (at := self._rest.find(";", self._from)) >= 0:
            if self._step(at):
                break
        if self._live is None:
            return "", self._depth
        return (self._live if self._open else self._live + self._rest), self._depth

    def _step(self, at: int) -> bool:
        """Take one semicolon; whether the rest of the line is a comment."""
        rest = self._rest
        if at > self._from and rest[at - 1] == "\\":
            self._rest = rest[: at - 1] + rest[at:]
            self._from = at
        elif rest.startswith("--", at + 1) and rest[at + 3 : at + 4] != "-":
            self._begin(at)
        elif at >= self._from + 2 and rest.startswith("--", at - 2):
            self._end(at)
        elif self._depth:
            self._from = at + 1
        else:
            self._rest = rest[:at]
            return True
        return False

    def _begin(self, at: int) -> None:
        if self._depth >= _MOST_NESTED:
            raise NestedTooDeeplyError
        if self._live is not None and not self._open:
            self._live += self._rest[:at]
            self._open = True
        self._depth += 1
        self._rest, self._from = self._rest[at + 3 :], 0

    def _end(self, at: int) -> None:
        self._depth -= 1
        if self._depth:
            self._from = at + 1
            return
        if self._live is None:
            self._live = ""
        self._rest, self._from, self._open = self._rest[at + 1 :], 0, False
