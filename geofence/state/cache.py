"""Facts that were found out of unchanged files and an unchanged kernel, so as not to do it again.

A fact is stored under a key that names all it was found out of: the stamp of a file, the number of
the kernel's last transaction. Whatever changes gets another key, so nothing here is ever renewed,
and a cache that is lost, damaged or written by another version costs time and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from geofence import __file__ as program
from geofence import __version__
from geofence.errors import StateError
from geofence.state.files import read_if_there, write_atomically
from geofence.state.records import DAMAGE, Codec, RecordError, seal, text, unseal

FORMAT = 1
NAME = "facts.cache"

_T = TypeVar("_T")


class FactCache:
    """The facts of one state directory: read once, and written at the end if there are new ones."""

    def __init__(self, state_directory: Path) -> None:
        self._path = state_directory / NAME
        self._stored = _read(self._path)
        self._used: dict[str, Any] = {}

    def fact(self, key: str, codec: Codec[_T], find_out: Callable[[], _T]) -> _T:
        """Return a fact, from the cache or else as it is found out.

        Args:
            key: its kind, and then all that the fact is found out of; empty: do not keep it.
            codec: how it is stored.
            find_out: gives it.
        """
        known = self.get(key, codec)
        if known is None:
            known = find_out()
            self.put(key, codec, known)
        return known

    def get(self, key: str, codec: Codec[_T]) -> _T | None:
        """Return a fact; None if it is not there or cannot be used."""
        found = self._used.get(key, self._stored.get(key))
        if found is None:
            return None
        with suppress(*DAMAGE):
            value = codec.read(found)
            self._used[key] = found
            return value
        return None

    def put(self, key: str, codec: Codec[_T], value: _T) -> None:
        """Add a fact."""
        if key:
            self._used[key] = codec.write(value)

    def save(self) -> None:
        """Write the facts, if any was added; of a kind that was used, only those that were.

        Others of that kind are of earlier files. A directory that cannot be written, as that of
        another user, keeps what it has.
        """
        if self._used.keys() - self._stored.keys():
            kinds = set(map(_kind, self._used))
            others = {key: each for key, each in self._stored.items() if _kind(key) not in kinds}
            body = json.dumps(
                [_program(), {**others, **self._used}], separators=(",", ":")
            ).encode()
            with suppress(StateError):
                write_atomically(self._path, seal(FORMAT, body))


def _kind(key: str) -> str:
    return key.partition(" ")[0]


def stamp(path: Path) -> str:
    """Return what tells a version of a file from others without reading it; empty without one.

    Files are replaced as a whole, so each version has an inode and a time of its own.
    """
    try:
        facts = path.stat()
    except OSError:
        return ""
    times = f"{facts.st_mtime_ns}:{facts.st_ctime_ns}"
    return f"{facts.st_dev}:{facts.st_ino}:{facts.st_size}:{times}"


def _read(path: Path) -> dict[str, Any]:
    with suppress(StateError, RecordError, *DAMAGE):
        data = read_if_there(path)
        if data is not None:
            _, body = unseal(data, FORMAT)
            by, facts = json.loads(body)
            if text(by) == _program() and isinstance(facts, dict):
                return facts
    return {}


@cache
def _program() -> str:
    """Return what tells this program from others, which may find out other facts."""
    return f"{__version__} {stamp(Path(program))}"
