"""The index of a mirror: which lists it has, under which hashes, and until when. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from geofence.errors import ListError
from geofence.model.frozen import dataclass
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family
from geofence.translation import tr

FORMAT = "geofence mirror 1"
NAME = "index.signed"
"""The file of the index, below the URL of a mirror."""
MOST_BYTES = 4 << 20
"""Of an index: twenty times that of all countries."""
_HASH = re.compile(r"[0-9a-f]{64}")
_MOST_PARTS = 1_000
_LATEST = 1 << 53
"""No serial number is as high: JSON of other languages could not hold it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One body of a list, as its source gave it."""

    sha256: str
    """Hash of the body, in hexadecimal."""
    size: int
    family: Family | None
    """The family that it is for; None for both."""
    format: str | None
    published_at: datetime | None
    """When its publisher made it, UTC."""
    copyright: str

    @property
    def path(self) -> str:
        """Return where the body is, below the URL of the mirror."""
        return f"lists/{self.sha256}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A list of a mirror."""

    checked_at: datetime
    """When the mirror's own source last confirmed it, UTC."""
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """All lists of a mirror at a time."""

    serial: int
    """Higher in each index than in the one before it."""
    published_at: datetime
    expires_at: datetime
    """After this nobody takes it, so that an old one cannot be given for ever."""
    lists: Mapping[ListId, Entry]

    @property
    def paths(self) -> frozenset[str]:
        """Return where all bodies are, below the URL of the mirror."""
        return frozenset(part.path for entry in self.lists.values() for part in entry.parts)


def is_body_name(name: str) -> bool:
    """Whether a file of the directory ``lists`` has the name of a body: its hash."""
    return _HASH.fullmatch(name) is not None


def written(index: Index) -> bytes:
    """Return the text of an index."""
    facts = {
        "format": FORMAT,
        "serial": index.serial,
        "published_at": index.published_at.isoformat(),
        "expires_at": index.expires_at.isoformat(),
        "lists": [_entry_facts(name, each) for name, each in sorted(index.lists.items())],
    }
    return json.dumps(facts, indent=1, ensure_ascii=True).encode() + b"\n"


def _entry_facts(name: ListId, entry: Entry) -> dict[str, object]:
    return {
        "kind": name.kind,
        "name": name.name,
        "checked_at": entry.checked_at.isoformat(),
        "parts": [
            {
                "sha256": part.sha256,
                "size": part.size,
                "family": part.family,
                "format": part.format,
                "published_at": part.published_at.isoformat() if part.published_at else None,
                "copyright": part.copyright,
            }
            for part in entry.parts
        ],
    }


def read(content: bytes) -> Index:
    """Read the text of an index.

    Raises:
        ListError: it is not one.
    """
    try:
        return _index(json.loads(content.decode()))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ListError(
            tr("It is not an index of a mirror that this geofence can read.")
        ) from error


def _index(facts: Any) -> Index:  # noqa: ANN401 - whatever the file holds
    if facts["format"] != FORMAT:
        raise ValueError(FORMAT)
    named = [(_name(each), _entry(each)) for each in _items(facts["lists"])]
    lists = dict(named)
    if len(lists) != len(named):
        raise ValueError("A list is there twice.")
    return Index(
        _count(facts["serial"]), _moment(facts["published_at"]), _moment(facts["expires_at"]), lists
    )


def _name(facts: Any) -> ListId:  # noqa: ANN401 - whatever the file holds
    return ListId(ListKind(facts["kind"]), _text(facts["name"]))


def _entry(facts: Any) -> Entry:  # noqa: ANN401 - whatever the file holds
    parts = tuple(map(_part, _items(facts["parts"])))
    if not 0 < len(parts) <= _MOST_PARTS:
        raise ValueError("A list has at least one body.")
    return Entry(_moment(facts["checked_at"]), parts)


def _part(facts: Any) -> Part:  # noqa: ANN401 - whatever the file holds
    sha256, family, form = _text(facts["sha256"]), facts["family"], facts["format"]
    if not _HASH.fullmatch(sha256):
        raise ValueError("A hash was expected.")
    published = facts["published_at"]
    return Part(
        sha256,
        _count(facts["size"]),
        None if family is None else Family(family),
        None if form is None else _text(form),
        None if published is None else _moment(published),
        _line(facts["copyright"]),
    )


def _items(value: object) -> Iterable[Any]:
    if not isinstance(value, list):
        raise TypeError("A list was expected.")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("A text was expected.")
    value.encode()  # JSON can hold lone surrogates, which no file of the state can
    return value


def _line(value: object) -> str:
    if not _text(value).isprintable():
        raise ValueError("One line was expected.")
    return _text(value)


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < _LATEST:
        raise ValueError("A whole number was expected.")
    return value


def _moment(value: object) -> datetime:
    found = datetime.fromisoformat(_text(value))
    if found.tzinfo is None:
        raise ValueError("A time must say its zone.")
    return found.astimezone(UTC)
