"""The names that an ``#include`` may mean: braces, wildcards, paths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate
from functools import lru_cache
from itertools import islice

from geofence.asterisk.files import Files

_MOST = 20_000
"""Files that one ``#include`` may name."""
_MOST_BRACES = 1_000
"""Names that its braces may make."""
_MAGIC = re.compile(r"[*?\[]")


class TooManyFilesError(ValueError):
    """An ``#include`` names more files than a configuration has."""


def matches(pattern: str, files: Files) -> Iterator[str | None]:
    """Yield the paths below the directory that a pattern names, in the order of their reading.

    None stands for a path that leaves the directory. A path without wildcards is yielded whether
    there is such a file or not.

    Raises:
        TooManyFilesError: there are more than any configuration has.
    """
    number = 0
    for each in expanded(pattern):
        inside = _below(each, files)
        if inside is None or not _MAGIC.search(inside):
            found: Iterator[str | None] = iter([inside if inside is None else _plain(inside)])
        else:
            found = iter(_globbed(inside, files))
        for path in found:
            number += 1
            if number > _MOST:
                raise TooManyFilesError
            yield path


def _below(path: str, files: Files) -> str | None:
    """Return a path relative to the directory, or None where it leads out."""
    if path.startswith("/"):
        return files.inside(_tidy(path, absolute=True) or "/")
    return _tidy(path, absolute=False)


def _tidy(path: str, *, absolute: bool) -> str | None:
    parts: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        elif not absolute:
            return None
    return "/" * absolute + "/".join(parts)


def expanded(pattern: str) -> Iterator[str]:
    """Yield what a pattern with braces stands for: ``{a,b}.conf`` is two names.

    Raises:
        TooManyFilesError: the braces make more names than any configuration has files.
    """
    waiting = [pattern]
    steps = 0
    while waiting:
        steps += 1
        if steps > _MOST_BRACES:
            raise TooManyFilesError
        current = waiting.pop()
        found = _first_braces(current)
        if found is None:
            yield current
            continue
        start, commas, end = found
        ends = [*commas, end]
        starts = [start + 1, *(comma + 1 for comma in commas)]
        choices = [current[a:b] for a, b in zip(starts, ends, strict=True)]
        if len(waiting) + len(choices) > _MOST_BRACES:
            raise TooManyFilesError
        waiting += [current[:start] + each + current[end + 1 :] for each in reversed(choices)]


def _first_braces(text: str) -> tuple[int, list[int], int] | None:
    """Return where the first braces begin, where their commas are, and where they end."""
    begins: list[int] = []
    commas: list[int] = []
    escaped = False
    for at, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "{" and text[at : at + 2] != "{}":
            begins.append(at)
        elif character == "}" and begins and text[at - 1 : at + 1] != "{}":
            begin = begins.pop()
            if not begins:
                return begin, commas, at
        elif character == "," and len(begins) == 1:
            commas.append(at)
    return None


def _globbed(pattern: str, files: Files) -> list[str]:
    found = [""]
    for part in pattern.split("/"):
        found = [path for base in found for path in _members(base, part, files)]
        if len(found) > _MOST:
            raise TooManyFilesError
    return sorted(found, key=str.encode)


def _members(base: str, part: str, files: Files) -> list[str]:
    start = f"{base}/" if base else ""
    if not _MAGIC.search(part):
        return [start + _plain(part)]
    fits = _expression(part)
    hidden = part.startswith(".")
    names = islice(files.listed(base), _MOST + 1)
    return [start + name for name in names if fits.match(name) and (hidden or name[0] != ".")]


@lru_cache(maxsize=64)
def _expression(part: str) -> re.Pattern[str]:
    """Return a regular expression for one part of a path with wildcards."""
    escaped = re.sub(r"\\(.)", lambda found: f"[{found[1]}]", part)
    return re.compile(translate(escaped.replace("[^", "[!")))


def _plain(path: str) -> str:
    return re.sub(r"\\(.)", r"\1", path)
