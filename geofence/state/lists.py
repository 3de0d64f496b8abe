"""Accepted lists on disk, each with its provenance and the version before it.

A list is one sealed file (see ``records``): a line of JSON with the list's identity and the
provenance of its bodies, then the bodies as they were received. They are parsed again at every
load, so a newer geofence is as strict with old lists as with new ones. A file that cannot be used
is named and skipped for the version before it. When a source last confirmed a list may be in a file
for all lists (see ``confirmations``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from geofence.errors import ListError, StateError
from geofence.host.ownership import Ways
from geofence.lists.formats import parse_part
from geofence.lists.parsed import Candidate, joined
from geofence.model.digest import sha256_of
from geofence.model.frozen import NamedTuple, dataclass
from geofence.model.lists import AcceptedList, DroppedAddress, ListId, ListKind, Provenance
from geofence.model.prefixes import Family
from geofence.state.cache import stamp
from geofence.state.confirmations import Confirmations
from geofence.state.files import (
    ensure_private_directory,
    flush,
    keep_as,
    read_if_there,
    state_error,
    write_atomically,
)
from geofence.state.records import (
    COUNT,
    DAMAGE,
    MOMENT,
    TEXT,
    RecordError,
    choice,
    damaged,
    many,
    maybe,
    objects,
    seal,
    text,
    unseal,
)
from geofence.translation import tr

FORMAT = 1

_SUFFIX = ".list"
_PREVIOUS = ".1"
_LONGEST_NAME = 200
"""Bytes; file systems take 255 with the suffixes."""
PROVENANCE = objects(
    Provenance,
    url=TEXT,
    etag=maybe(TEXT),
    sha256=TEXT,
    fetched_at=MOMENT,
    checked_at=MOMENT,
    family=maybe(choice(Family)),
    format=maybe(TEXT),
    published_at=maybe(MOMENT),
    copyright=TEXT,
    ttl=maybe(COUNT),
    dropped=many(objects(DroppedAddress, address=TEXT, since=MOMENT)),
)


class Loaded(NamedTuple):
    """A list as it was found on the disk."""

    accepted: AcceptedList | None
    """None: the list was never accepted, or no version can be used."""
    warnings: tuple[str, ...] = ()
    """A sentence for each file that was skipped."""


@dataclass(frozen=True, slots=True)
class _Content:
    """A file of a list, decoded and not yet parsed."""

    id: ListId
    provenance: tuple[Provenance, ...]
    bodies: tuple[bytes, ...]

    def accepted(self) -> AcceptedList:
        """Return the list, parsed.

        Raises:
            ListError: a body does not pass today's checks.
        """
        parts = zip(self.provenance, self.bodies, strict=True)
        parsed = joined(parse_part(self.id, part.family, body, part.format) for part, body in parts)
        return AcceptedList(self.id, parsed.space, self.provenance, parsed.carried)

    @property
    def is_usable(self) -> bool:
        """Whether the bodies pass today's checks."""
        try:
            self.accepted()
        except ListError:
            return False
        return True


class ListStore:
    """The accepted lists of one state directory.

    Reading needs no lock: files are replaced as a whole. Writing needs it.
    """

    def __init__(self, state_directory: Path) -> None:
        self._directory = state_directory / "lists"
        self._confirmations = Confirmations(self._directory)
        self._is_private = False

    def load(self, wanted: ListId) -> Loaded:
        """Return the last accepted version of a list, or the one before it if that is damaged."""
        return self._load(wanted, Ways())

    def _load(self, wanted: ListId, ways: Ways) -> Loaded:
        warnings: list[str] = []
        for path in self._paths(wanted):
            try:
                content = _read(path, wanted, ways)
                if content is not None:
                    return Loaded(self._as_confirmed(content.accepted()), tuple(warnings))
            except (StateError, ListError, RecordError) as error:
                warnings.append(_skipped(path, error))
        return Loaded(None, tuple(warnings))

    def load_all(
        self, wanted: Iterable[ListId]
    ) -> tuple[dict[ListId, AcceptedList], tuple[str, ...]]:
        """Return those of these lists that are stored, and the warnings of all."""
        found: dict[ListId, AcceptedList] = {}
        warnings: list[str] = []
        ways = Ways()
        for each in wanted:
            loaded = self._load(each, ways)
            warnings += loaded.warnings
            if loaded.accepted is not None:
                found[each] = loaded.accepted
        return found, tuple(warnings)

    def bodies(self, wanted: ListId) -> tuple[AcceptedList, tuple[bytes, ...]] | None:
        """Return the last accepted version of a list with its bodies as received.

        None if there is none that can be used, as where ``load`` falls back to the one before.
        """
        content = _intact(self._paths(wanted)[0], wanted)
        if content is None or not content.is_usable:
            return None
        return self._as_confirmed(content.accepted()), content.bodies

    def ids(self, kinds: Collection[ListKind] = tuple(ListKind)) -> tuple[ListId, ...]:
        """Return the lists on disk, whether they are still wanted or not, ordered by name.

        Args:
            kinds: of the lists; those of others are not read.

        Raises:
            StateError: the directory is there and cannot be read.
        """
        starts = tuple(f"{kind}-" for kind in kinds)
        try:
            paths = sorted(
                path for path in self._directory.glob(f"*{_SUFFIX}") if path.name.startswith(starts)
            )
        except OSError as error:
            raise state_error("read", self._directory, error) from error
        return tuple(_known_ids(paths))

    def save(self, candidate: Candidate, ways: Ways | None = None) -> None:
        """Make a list the accepted one; the stored version, if intact, becomes the one before it.

        The last of several is followed by ``flush``.

        Args:
            candidate: the list.
            ways: to the files that are read together with it.

        Raises:
            StateError: it could not be written; the stored version is unchanged.
        """
        accepted = candidate.accepted
        if not self._is_private:
            ensure_private_directory(self._directory)
            self._is_private = True
        current, previous = self._paths(accepted.id)
        if _intact(current, accepted.id, ways) is not None:
            keep_as(current, previous)
        content = _Content(accepted.id, accepted.provenance, candidate.bodies)
        write_atomically(current, _encode(content), flush_directory=False)

    def renew(self, accepted: AcceptedList) -> datetime | None:
        """Record that a list's source confirmed it.

        The last of several is followed by ``flush``.

        Nothing is written if another version is the accepted one: another run has stored a
        newer one meanwhile. The version before it counts only where that one is damaged.

        Args:
            accepted: as it was loaded, with a later ``checked_at``.

        Returns:
            When the list was last confirmed before, UTC; None if nothing was written.

        Raises:
            StateError: it could not be written; the stored file is unchanged.
        """
        current, previous = self._paths(accepted.id)
        hashes = [part.sha256 for part in accepted.provenance]
        for path in (current, previous):
            content = _intact(path, accepted.id)
            if content is None:
                continue
            if [part.sha256 for part in content.provenance] == hashes:
                renewed = _Content(accepted.id, accepted.provenance, content.bodies)
                write_atomically(current, _encode(renewed), flush_directory=False)
                return min(part.checked_at for part in content.provenance)
            if content.is_usable:
                return None
        return None

    def confirm(self, lists: Mapping[ListId, tuple[datetime, datetime]]) -> None:
        """Record that sources confirmed lists, of which nothing else has changed.

        It is followed by ``flush``.

        Args:
            lists: when each was last confirmed before, as it was loaded, and now.

        Raises:
            StateError: it could not be written; what was recorded before is unchanged.
        """
        self._confirmations.note(lists)

    def stamp(self, wanted: ListId) -> str:
        """Return what tells the last accepted version, and its times; empty if there is none."""
        stamped = stamp(self._paths(wanted)[0])
        return f"{stamped} {self._confirmations.noted(wanted)}" if stamped else ""

    def flush(self) -> None:
        """Flush to the disk that lists, or their histories, were replaced.

        Raises:
            StateError: it could not be done.
        """
        if self._directory.is_dir():
            flush(self._directory)

    def _as_confirmed(self, accepted: AcceptedList) -> AcceptedList:
        """Return a list as it was last confirmed, which may be later than its file says."""
        latest = self._confirmations.latest(accepted.id, accepted.checked_at)
        return accepted if latest == accepted.checked_at else accepted.confirmed(latest)

    def _paths(self, wanted: ListId) -> tuple[Path, Path]:
        """Return the files of the last accepted version and of the one before it."""
        name = f"{wanted.kind}-{quote(wanted.name, safe='', errors='surrogatepass')}"
        if len(name) > _LONGEST_NAME:
            name = f"{wanted.kind}-{sha256_of(name.encode())}"
        current = self._directory / f"{name}{_SUFFIX}"
        return current, current.with_name(current.name + _PREVIOUS)


def _skipped(path: Path, error: Exception) -> str:
    why = error.args[0]
    if isinstance(error, ListError):
        return tr(
            "The stored list {path} was skipped. It no longer passes the checks. {why}",
            path=path,
            why=why,
        )
    return tr("The stored list {path} was skipped. {why}", path=path, why=why)


def _known_ids(paths: Iterable[Path]) -> Iterator[ListId]:
    for path in paths:
        try:
            content = read_if_there(path)
            if content is not None:
                yield _decode(content).id
        except (StateError, RecordError):
            continue  # loading it tells why


def _intact(path: Path, wanted: ListId, ways: Ways | None = None) -> _Content | None:
    try:
        return _read(path, wanted, ways)
    except (StateError, RecordError):
        return None


def _read(path: Path, wanted: ListId, ways: Ways | None = None) -> _Content | None:
    """Return the file's content; None if there is no file.

    Args:
        path: the file.
        wanted: the list that it should hold.
        ways: to the files that are read together with it.

    Raises:
        StateError: it cannot be read or trusted.
        RecordError: it is damaged, or another list's; the message says which.
    """
    data = read_if_there(path, ways)
    if data is None:
        return None
    content = _decode(data)
    if content.id != wanted:
        raise RecordError(
            tr('It holds the list "{found}", not "{wanted}".', found=content.id, wanted=wanted)
        )
    return content


def _encode(content: _Content) -> bytes:
    parts = zip(content.provenance, content.bodies, strict=True)
    facts = {
        "kind": content.id.kind,
        "name": content.id.name,
        "parts": [_part_facts(part, body) for part, body in parts],
    }
    return seal(FORMAT, json.dumps(facts).encode() + b"\n" + b"".join(content.bodies))


def _part_facts(part: Provenance, body: bytes) -> dict[str, object]:
    return {**PROVENANCE.write(part), "octets": len(body)}


def _decode(data: bytes) -> _Content:
    """Return what a file holds.

    Raises:
        RecordError: the data is damaged or of another format; the message says which.
    """
    _, rest = unseal(data, FORMAT)
    facts, _, bodies = rest.partition(b"\n")
    try:
        return _content(json.loads(facts), bodies)
    except DAMAGE as error:
        raise damaged() from error


def _content(facts: dict[str, Any], bodies: bytes) -> _Content:
    parts = facts["parts"]
    cut: list[bytes] = []
    at = 0
    for part in parts:
        cut.append(bodies[at : at + part["octets"]])
        at += part["octets"]
    if at != len(bodies) or not parts:
        raise ValueError("The bodies are not as long as stated.")
    wanted = ListId(ListKind(facts["kind"]), text(facts["name"]))
    return _Content(wanted, tuple(map(PROVENANCE.read, parts)), tuple(cut))
