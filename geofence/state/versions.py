"""The history of each list: which versions were accepted, when, and when each was last confirmed.

A version is identified by a hash of its addresses, not of a body, since mirrors format the same
list differently. There is one small JSON file per list, beside the list. It decides nothing alone,
so a damaged one is ignored, and the next accepted version begins a new history. When the latest was
last confirmed may be in a file for all lists (see ``confirmations``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from geofence.errors import StateError
from geofence.host.ownership import Ways
from geofence.model.digest import sha256_of
from geofence.model.frozen import dataclass, replace
from geofence.model.lists import AcceptedList, ListId
from geofence.model.prefixes import AddressSpace, Family, pack_addresses
from geofence.state.cache import stamp
from geofence.state.confirmations import Confirmations
from geofence.state.files import ensure_private_directory, read_if_there, write_atomically
from geofence.state.records import COUNT, DAMAGE, MOMENT, Codec, items, moment, objects, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = 1
MOST_VERSIONS = 60
"""Versions remembered of one list, the latest: about two months of one that changes daily."""

_SUFFIX = ".versions"
_HASH_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Version:
    """One content of a list that was accepted."""

    sha256: str
    """``fingerprint`` of its addresses."""
    ipv4: int
    """Number of IPv4 addresses."""
    ipv6: int
    """Number of IPv6 addresses."""
    first_accepted_at: datetime
    """When it was accepted for the first time, UTC."""
    accepted_at: datetime
    """When it last became the accepted version, UTC; later than the first time if it returned."""
    confirmed_at: datetime
    """When a source last gave or confirmed it, UTC."""

    def size(self, family: Family) -> int:
        """Return the number of addresses of one family."""
        return self.ipv4 if family is Family.IPV4 else self.ipv6


def _hash(value: object) -> str:
    if len(text(value)) != _HASH_DIGITS:
        raise ValueError("A hash was expected.")
    return text(value)


VERSION = objects(
    Version,
    sha256=Codec(_hash, str),
    ipv4=COUNT,
    ipv6=COUNT,
    first_accepted_at=MOMENT,
    accepted_at=MOMENT,
    confirmed_at=MOMENT,
)


def _readable(facts: Mapping[str, Any]) -> Version | None:
    """Return the version of a JSON object; None if it has none."""
    try:
        return VERSION.read(facts)
    except DAMAGE:
        return None


def _accepted_at(facts: Mapping[str, Any]) -> datetime | None:
    try:
        return moment(facts["accepted_at"])
    except DAMAGE:
        return None


@dataclass(frozen=True, slots=True)
class History:
    """The versions of one list, each once, in the order in which they last became the accepted one.

    Nearly all that is asked for is the latest one. Those before it stay as the file has them until
    they are needed, so that a run does not take longer with each night.
    """

    latest: Version | None = None
    """The accepted version; None before the first."""
    earlier: tuple[Mapping[str, Any], ...] = ()
    """The versions before it, as JSON objects. One that cannot be read is not known."""

    @property
    def versions(self) -> tuple[Version, ...]:
        """All versions; the last is the accepted one."""
        before = tuple(each for each in map(_readable, self.earlier) if each is not None)
        return before if self.latest is None else (*before, self.latest)

    def find(self, sha256: str) -> Version | None:
        """Return the version with this fingerprint; None if it is not remembered."""
        if self.latest is not None and self.latest.sha256 == sha256:
            return self.latest
        found = (each for each in self.earlier if each.get("sha256") == sha256)
        return next(filter(None, map(_readable, found)), None)

    def version_of(self, space: AddressSpace) -> Version | None:
        """Return the version with these addresses; None if it is not remembered."""
        sizes = space.ipv4.size, space.ipv6.size
        alike = any((each.get("ipv4"), each.get("ipv6")) == sizes for each in self.earlier)
        latest = self.latest is not None and (self.latest.ipv4, self.latest.ipv6) == sizes
        return self.find(fingerprint(space)) if alike or latest else None

    def in_force_at(self, at: datetime) -> Version | None:
        """Return the version that was in force at a time; the oldest if that is later.

        Args:
            at: a time, UTC.
        """
        oldest = self.latest
        if oldest is None or oldest.accepted_at <= at:
            return oldest
        for each in reversed(self.earlier):
            accepted_at = _accepted_at(each)
            if accepted_at is not None and accepted_at <= at:
                known = _readable(each)
                if known is not None:
                    return known
        return next(filter(None, map(_readable, self.earlier)), oldest)

    def confirmed(self, at: datetime) -> History:
        """Return the history after the accepted version, if there is one, was confirmed."""
        latest = None if self.latest is None else replace(self.latest, confirmed_at=at)
        return replace(self, latest=latest)

    def noted(
        self, space: AddressSpace, at: datetime, since: datetime | None = None, sha256: str = ""
    ) -> History:
        """Return the history after a version was accepted or confirmed.

        Args:
            space: the version's addresses.
            at: when, UTC.
            since: when it was accepted, if it was so before this history began.
            sha256: ``fingerprint`` of the addresses, if it was found already.
        """
        sha256 = sha256 or fingerprint(space)
        known, latest = self.find(sha256), self.latest
        if known is not None and known is latest:
            return self.confirmed(at)
        first = since or at if known is None else known.first_accepted_at
        again = since or at if known is None else at
        version = Version(sha256, space.ipv4.size, space.ipv6.size, first, again, at)
        before = [each for each in self.earlier if each.get("sha256") != sha256]
        before += [] if latest is None else [VERSION.write(latest)]
        return History(version, tuple(before[1 - MOST_VERSIONS :]))


def fingerprint(space: AddressSpace) -> str:
    """Return the SHA-256 of a set of addresses, hexadecimal: equal sets, equal hashes."""
    pieces: list[bytes] = []
    for family in Family:
        bounds = space[family].bounds
        pieces += (
            b"%d:" % len(bounds),
            pack_addresses(family, bounds[0::2]),
            pack_addresses(family, [past - 1 for past in bounds[1::2]]),
        )
    return sha256_of(b"".join(pieces))


class VersionStore:
    """The histories in one state directory.

    Reading needs no lock: files are replaced as a whole. Writing needs it.
    """

    def __init__(self, state_directory: Path) -> None:
        self._directory = state_directory / "lists"
        self._confirmations = Confirmations(self._directory)
        self._is_private = False

    def load(self, wanted: ListId, ways: Ways | None = None) -> History:
        """Return the history of a list; empty if there is none that can be used.

        Args:
            wanted: which list.
            ways: to the files that are read together with it.
        """
        try:
            data = read_if_there(self._path(wanted), ways)
            found = History() if data is None else _decode(data, wanted)
        except (StateError, *DAMAGE):
            return History()
        written = found.latest.confirmed_at if found.latest else None
        latest = self._confirmations.latest(wanted, written) if written else None
        return found if latest is None or latest == written else found.confirmed(latest)

    def stamp(self, wanted: ListId) -> str:
        """Return what tells a history from its other versions; empty without one."""
        stamped = stamp(self._path(wanted))
        return f"{stamped} {self._confirmations.noted(wanted)}" if stamped else ""

    def note(
        self,
        accepted: AcceptedList,
        *,
        former: AcceptedList | None = None,
        history: History | None = None,
        before: datetime | None = None,
        sha256: str = "",
    ) -> History:
        """Record that a version was accepted or confirmed, at the time that its provenance says.

        The last of several is followed by ``flush`` of the lists, which are in the same directory.

        Args:
            accepted: the version.
            former: the one that was accepted before; begins a history that was not kept yet.
            history: as it was loaded a moment ago, under the same lock.
            before: when the stored version, which was confirmed now, was last confirmed, UTC.
            sha256: ``fingerprint`` of its addresses, if it was found already.

        Returns:
            The history from now on.

        Raises:
            StateError: it could not be written; the history is unchanged.
        """
        history = self.load(accepted.id) if history is None else history
        if history.latest is None and former is not None:
            history = history.noted(former.space, former.checked_at, _fetched_at(former))
        if is_latest(history, accepted.space, before):
            noted = history.confirmed(accepted.checked_at)
        else:
            fetched_at = _fetched_at(accepted)
            noted = history.noted(accepted.space, accepted.checked_at, fetched_at, sha256)
        if not self._is_private:
            ensure_private_directory(self._directory)
            self._is_private = True
        data = _encode(accepted.id, noted)
        write_atomically(self._path(accepted.id), data, flush_directory=False)
        return noted

    def _path(self, wanted: ListId) -> Path:
        """Return the file of a list's history; hashed, since names may be too long."""
        name = sha256_of(str(wanted).encode(errors="surrogatepass"))[:32]
        return self._directory / f"{wanted.kind}-{name}{_SUFFIX}"


def is_latest(history: History, space: AddressSpace, before: datetime | None) -> bool:
    """Whether the stored version is the latest that was noted, as the times of both tell.

    The run that noted it stored it, too, with the same time. So its addresses need no hash.
    """
    latest = history.latest
    if latest is None or before is None or latest.confirmed_at != before:
        return False
    return (latest.ipv4, latest.ipv6) == (space.ipv4.size, space.ipv6.size)


def _fetched_at(accepted: AcceptedList) -> datetime:
    return min(part.fetched_at for part in accepted.provenance)


def _encode(wanted: ListId, history: History) -> bytes:
    versions = [*history.earlier, *map(VERSION.write, filter(None, (history.latest,)))]
    facts = {"format": FORMAT, "kind": wanted.kind, "name": wanted.name, "versions": versions}
    return json.dumps(facts).encode() + b"\n"  # with indentation, Python's slow encoder makes it


def _decode(data: bytes, wanted: ListId) -> History:
    """Return the history that a file holds.

    Raises:
        ValueError, LookupError, TypeError, …: the data is damaged, of another format or list.
    """
    facts = json.loads(data)
    if facts["format"] != FORMAT or (facts["kind"], facts["name"]) != wanted:
        raise ValueError("The history is another list's, or of another format.")
    *earlier, latest = items(facts["versions"])[-MOST_VERSIONS:]
    if not all(isinstance(each, dict) for each in earlier):
        raise TypeError("An object was expected.")
    return History(VERSION.read(latest), tuple(earlier))
