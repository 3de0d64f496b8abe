"""Lists from signed mirrors: the index is verified once for all lists of a run."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from geofence.errors import ListError, MirrorError
from geofence.fetch.answers import Answer, Body, NotModified, PauseError, Rejected
from geofence.fetch.http import Client
from geofence.fetch.urls import public
from geofence.mirror import index as index_file
from geofence.mirror.index import MOST_BYTES, Entry, Index, Part
from geofence.mirror.memory import MirrorMemory, Seen
from geofence.mirror.signature import key_id, verified
from geofence.model.digest import sha256_of
from geofence.model.frozen import NamedTuple, replace
from geofence.model.lists import AcceptedList, ListId
from geofence.model.policy import MirrorSource
from geofence.translation import join, tr

_CLOCKS_DIFFER = timedelta(days=1)
"""How far the clocks of a mirror and its hosts may differ. An index that a wrong clock signed for
later years would end in those years, and its serial number be higher than those of today."""


class _Checked(NamedTuple):
    """An index that may be used."""

    seen: Seen
    held: Index
    key: str
    """The number of the key that signed it."""


class Indexes:
    """The indexes of the mirrors of one run, shared by its workers."""

    def __init__(self, source: MirrorSource, memory: MirrorMemory) -> None:
        """Begin a run.

        Args:
            source: the keys to trust.
            memory: of earlier runs.
        """
        self._keys = source.keys
        self._seen = dict(memory.seen)
        self._serials = dict(memory.serials)
        self._lock = threading.Lock()
        self._read: dict[str, Index | ListError] = {}

    @property
    def memory(self) -> MirrorMemory:
        """Return what the next run is to remember."""
        with self._lock:
            return MirrorMemory(dict(self._seen), dict(self._serials))

    def ask(self, url: str, client: Client, now: datetime, *, patient: bool) -> Index:
        """Return the index of a mirror; it is fetched once for all lists.

        Args:
            url: of the mirror.
            client: the worker's own.
            now: the time, UTC.
            patient: whether to wait if the host asks for a pause.

        Raises:
            PauseError: the host asks for a pause.
            ListError: it could not be fetched, is not signed as it should be, has expired, or is
                older than one that was seen before.
        """
        with self._lock:
            if url not in self._read:
                try:
                    self._read[url] = self._fetched(url, client, now, patient=patient)
                except PauseError:
                    raise
                except ListError as error:
                    self._read[url] = error
            found = self._read[url]
        if isinstance(found, ListError):
            raise ListError(*found.args) from found
        return found

    def _fetched(self, url: str, client: Client, now: datetime, *, patient: bool) -> Index:
        place = f"{url}{index_file.NAME}"
        known = self._known(url, now)
        answer = client.get(place, known.seen.etag if known else None, patient=patient)
        if isinstance(answer, NotModified) and known is not None:
            return known.held
        body = _body(answer)
        try:
            taken = self._checked(Seen(body.etag, body.content), now)
        except (ListError, MirrorError) as error:
            raise ListError(join(": ", (public(place), str(error)))) from error
        self._seen[url] = taken.seen
        self._serials[taken.key] = max(taken.held.serial, self._serials.get(taken.key, 0))
        return taken.held

    def _known(self, url: str, now: datetime) -> _Checked | None:
        """Return the index that is remembered; None if it may not be used.

        Then the mirror is asked for all of its index, also if that has not changed: what is
        remembered may be damaged.
        """
        try:
            return self._checked(self._seen[url], now)
        except (KeyError, ListError, MirrorError):
            return None

    def _checked(self, seen: Seen, now: datetime) -> _Checked:
        """Return an index that may be used, and the number of its key.

        The serial numbers of keys that are no longer trusted do not count: who had such a key may
        have signed a very high one.
        """
        if len(seen.document) > MOST_BYTES:
            raise ListError(tr("It is too large for an index of a mirror."))
        signed = verified(seen.document, self._keys)
        found = index_file.read(signed.content)
        trusted = {key_id(each) for each in self._keys}
        highest = max((s for key, s in self._serials.items() if key in trusted), default=0)
        if found.serial < highest:
            raise ListError(
                tr(
                    "The mirror gives an old index again: its serial number is {serial}, but "
                    "{highest} was seen before.",
                    serial=found.serial,
                    highest=highest,
                )
            )
        if found.published_at > now + _CLOCKS_DIFFER:
            raise ListError(
                tr(
                    "The index was signed in the future, on {signed}. Check the clock of the "
                    "mirror, and the clock here.",
                    signed=f"{found.published_at:%Y-%m-%d %H:%M} UTC",
                )
            )
        if now > found.expires_at:
            raise ListError(
                tr(
                    "The index has expired: it was signed on {signed}, and is valid until {end}. "
                    "Check whether 'geofence refresh' runs on the mirror, and the clock here.",
                    signed=f"{found.published_at:%Y-%m-%d %H:%M} UTC",
                    end=f"{found.expires_at:%Y-%m-%d %H:%M} UTC",
                )
            )
        return _Checked(seen, found, signed.key_id)


def entry_of(index: Index, wanted: ListId, url: str) -> Entry:
    """Return the entry of a list.

    Raises:
        ListError: the mirror does not have the list.
    """
    found = index.lists.get(wanted)
    if found is None:
        raise ListError(
            tr(
                "{url}: the mirror does not have the list {list}. Add it to the rules of the "
                "mirror's host, and run 'geofence refresh' there.",
                url=public(url),
                list=wanted,
            )
        )
    return found


def is_stored(entry: Entry, stored: AcceptedList) -> bool:
    """Whether the bodies of an entry are those of a stored list."""
    here = [(part.family, part.format, part.sha256) for part in stored.provenance]
    return here == [(part.family, part.format, part.sha256) for part in entry.parts]


def confirmed(entry: Entry, stored: AcceptedList, url: str, now: datetime) -> AcceptedList:
    """Return a stored list as the mirror confirms it; it is as old as it is on the mirror.

    Args:
        entry: of the list.
        stored: has the bodies of the entry.
        url: of the mirror.
        now: the time, UTC.
    """
    there = min(entry.checked_at, now)
    parts = zip(stored.provenance, entry.parts, strict=True)
    renewed = tuple(
        replace(mine, url=f"{url}{part.path}", etag=None, checked_at=max(there, mine.checked_at))
        for mine, part in parts
    )
    return replace(stored, provenance=renewed)


def body_of(part: Part, url: str, client: Client, *, patient: bool) -> bytes:
    """Return a body as the index has it.

    Raises:
        ListError: the mirror did not give it, or gave another one.
    """
    place = f"{url}{part.path}"
    content = _body(client.get(place, patient=patient)).content
    if len(content) != part.size or sha256_of(content) != part.sha256:
        raise ListError(
            tr(
                "{url}: the mirror gives {size} bytes that are not those of its signed index.",
                url=public(place),
                size=f"{len(content):,}",
            )
        )
    return content


def _body(answer: Answer) -> Body:
    if isinstance(answer, Body):
        return answer
    if isinstance(answer, NotModified):
        raise ListError(tr("The server sent no body."))
    if isinstance(answer, Rejected):
        raise ListError(answer.problem)
    raise ListError(answer.problem)
