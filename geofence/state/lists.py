"""Accepted lists on disk, each with its provenance and the version before it.

A list is one file: a line of JSON with the format and the checksum of all that follows, a line of
JSON with the list's identity and the provenance of its bodies, then the bodies as they were
received. They are parsed again at every load, so a newer geofence is as strict with old lists as
with new ones. A file that is damaged is named and passed over for the version before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from geofence.errors import ListError, StateError
from geofence.lists.formats import parse_part
from geofence.lists.parsed import Candidate, joined
from geofence.model.lists import AcceptedList, ListId, ListKind, Provenance
from geofence.model.prefixes import Family
from geofence.state.files import (
    ensure_private_directory,
    read_if_there,
    state_error,
    write_atomically,
)

FORMAT = 1

_SUFFIX = ".list"
_PREVIOUS = ".1"
_LONGEST_NAME = 200
"""Octets; file systems take 255 with the suffixes."""


class Loaded(NamedTuple):
    """What was on disk of a list."""

    accepted: AcceptedList | None
    """None: the list was never accepted, or no version can be used."""
    warnings: tuple[str, ...] = ()
    """A sentence for each file that was passed over."""


@dataclass(frozen=True, slots=True)
class _Content:
    """A file of a list, decoded and not yet parsed."""

    id: ListId
    provenance: tuple[Provenance, ...]
    bodies: tuple[bytes, ...]

    def accepted(self) -> AcceptedList:
        """The list.

        Raises:
            ListError: a body is not what today's checks demand.
        """
        parts = zip(self.provenance, self.bodies, strict=True)
        parsed = joined(parse_part(self.id, part.family, body, part.format) for part, body in parts)
        return AcceptedList(self.id, parsed.space, self.provenance)

    @property
    def is_usable(self) -> bool:
        """Whether the bodies are what today's checks demand."""
        try:
            self.accepted()
        except ListError:
            return False
        return True


class ListStore:
    """The accepted lists of one state directory.

    Reading needs no lock: files are replaced as a whole. Writing is for who holds the lock.
    """

    def __init__(self, state_directory: Path) -> None:
        self._directory = state_directory / "lists"

    def load(self, wanted: ListId) -> Loaded:
        """The last accepted version of a list, or the one before it if that is damaged."""
        warnings: list[str] = []
        for path in self._paths(wanted):
            try:
                content = _read(path, wanted)
                if content is not None:
                    return Loaded(content.accepted(), tuple(warnings))
            except (StateError, ListError, ValueError) as error:
                warnings.append(_passed_over(path, error))
        return Loaded(None, tuple(warnings))

    def load_all(
        self, wanted: Iterable[ListId]
    ) -> tuple[dict[ListId, AcceptedList], tuple[str, ...]]:
        """All of these lists that are at hand, and the warnings of all."""
        found: dict[ListId, AcceptedList] = {}
        warnings: list[str] = []
        for each in wanted:
            loaded = self.load(each)
            warnings += loaded.warnings
            if loaded.accepted is not None:
                found[each] = loaded.accepted
        return found, tuple(warnings)

    def ids(self) -> tuple[ListId, ...]:
        """The lists on disk, whether they are still wanted or not, in the order of their names.

        Raises:
            StateError: the directory is there and cannot be read.
        """
        try:
            paths = sorted(self._directory.glob(f"*{_SUFFIX}"))
        except OSError as error:
            raise state_error("read", self._directory, error) from error
        return tuple(_known_ids(paths))

    def save(self, candidate: Candidate) -> None:
        """Make a list the accepted one; the version at hand, if intact, becomes the one before it.

        Raises:
            StateError: it could not be written; the version at hand still stands.
        """
        accepted = candidate.accepted
        ensure_private_directory(self._directory)
        current, previous = self._paths(accepted.id)
        at_hand = _intact(current, accepted.id)
        if at_hand is not None:
            write_atomically(previous, _encode(at_hand))
        content = _Content(accepted.id, accepted.provenance, candidate.bodies)
        write_atomically(current, _encode(content))

    def renew(self, accepted: AcceptedList) -> None:
        """Write down that a list's source confirmed it.

        Nothing is written if another version is the accepted one: another run, which stored a newer
        one meanwhile, knows better. The version before it counts only where that one is damaged.

        Args:
            accepted: as it was loaded, with a later ``checked_at``.

        Raises:
            StateError: it could not be written; the file at hand still stands.
        """
        current, previous = self._paths(accepted.id)
        hashes = [part.sha256 for part in accepted.provenance]
        for path in (current, previous):
            content = _intact(path, accepted.id)
            if content is None:
                continue
            if [part.sha256 for part in content.provenance] == hashes:
                renewed = _Content(accepted.id, accepted.provenance, content.bodies)
                write_atomically(current, _encode(renewed))
                return
            if content.is_usable:
                return

    def _paths(self, wanted: ListId) -> tuple[Path, Path]:
        """The files of the last accepted version and of the one before it."""
        name = f"{wanted.kind}-{quote(wanted.name, safe='', errors='surrogatepass')}"
        if len(name) > _LONGEST_NAME:
            name = f"{wanted.kind}-{hashlib.sha256(name.encode()).hexdigest()}"
        current = self._directory / f"{name}{_SUFFIX}"
        return current, current.with_name(current.name + _PREVIOUS)


def _passed_over(path: Path, error: Exception) -> str:
    if isinstance(error, StateError):
        return f"A stored list was passed over: {error}"
    if isinstance(error, ListError):
        return f"{path} was passed over, for it no longer passes the checks: {error}"
    return f"{path} {error}; it was passed over."


def _known_ids(paths: Iterable[Path]) -> Iterator[ListId]:
    for path in paths:
        try:
            content = read_if_there(path)
            if content is not None:
                yield _decode(content).id
        except (StateError, ValueError):
            continue  # whoever loads it is told


def _intact(path: Path, wanted: ListId) -> _Content | None:
    try:
        return _read(path, wanted)
    except (StateError, ValueError):
        return None


def _read(path: Path, wanted: ListId) -> _Content | None:
    """The file's content; None where there is no file.

    Raises:
        StateError: it cannot be read or trusted.
        ValueError: it is damaged, or another list's; the message says which.
    """
    data = read_if_there(path)
    if data is None:
        return None
    content = _decode(data)
    if content.id != wanted:
        raise ValueError(f"holds the list {content.id}, not {wanted}")
    return content


def _encode(content: _Content) -> bytes:
    parts = zip(content.provenance, content.bodies, strict=True)
    facts = {
        "kind": content.id.kind,
        "name": content.id.name,
        "parts": [_part_facts(part, body) for part, body in parts],
    }
    rest = b"\n".join((json.dumps(facts).encode(), b"".join(content.bodies)))
    head = {"format": FORMAT, "sha256": hashlib.sha256(rest).hexdigest()}
    return json.dumps(head).encode() + b"\n" + rest


def _part_facts(part: Provenance, body: bytes) -> dict[str, object]:
    return {
        "url": part.url,
        "etag": part.etag,
        "sha256": part.sha256,
        "octets": len(body),
        "fetched_at": part.fetched_at.isoformat(),
        "checked_at": part.checked_at.isoformat(),
        "family": part.family,
        "format": part.format,
    }


def _decode(data: bytes) -> _Content:
    """The inverse of ``_encode``.

    Raises:
        ValueError: the data is damaged or of another format; the message says which.
    """
    head, _, rest = data.partition(b"\n")
    stated_format, checksum = _head(head)
    if stated_format != FORMAT:
        raise ValueError(f"has format {stated_format!r}, not {FORMAT}")
    if checksum != hashlib.sha256(rest).hexdigest():
        raise ValueError("does not have the checksum it states")
    facts, _, bodies = rest.partition(b"\n")
    try:
        return _content(json.loads(facts), bodies)
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError("is damaged") from error


def _head(head: bytes) -> tuple[object, object]:
    try:
        stated = json.loads(head)
        return stated["format"], stated["sha256"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError("is damaged") from error


def _content(facts: dict[str, Any], bodies: bytes) -> _Content:
    parts = facts["parts"]
    cut: list[bytes] = []
    at = 0
    for part in parts:
        cut.append(bodies[at : at + part["octets"]])
        at += part["octets"]
    if at != len(bodies) or not parts:
        raise ValueError("The bodies are not as long as stated.")
    wanted = ListId(ListKind(facts["kind"]), _text(facts["name"]))
    return _Content(wanted, tuple(_provenance(part) for part in parts), tuple(cut))


def _provenance(part: dict[str, Any]) -> Provenance:
    return Provenance(
        url=_text(part["url"]),
        etag=None if part["etag"] is None else _text(part["etag"]),
        sha256=_text(part["sha256"]),
        fetched_at=_time(part["fetched_at"]),
        checked_at=_time(part["checked_at"]),
        family=None if part["family"] is None else Family(part["family"]),
        format=None if part.get("format") is None else _text(part["format"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("A text was expected.")
    return value


def _time(value: str) -> datetime:
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError("A time must say its zone.")
    return time.astimezone(UTC)
