"""When sources last confirmed the stored lists: one small file for all, written once a run.

Most nights change nothing but these times, and to write each list and its history anew for that
would be most of the work of the night, and of the wear of a flash disk. So the files of a list say
when it was confirmed as they were written, and this one says since when that has changed.

A later time counts only beside files that say exactly the time that it stands in place of: whoever
writes them anew, such as an older geofence, need not know of this one. Without it, or if it is
damaged, lists look older than they are until the next run, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from geofence.errors import StateError
from geofence.model.frozen import NamedTuple
from geofence.model.lists import ListId, ListKind
from geofence.state.cache import stamp
from geofence.state.files import read_if_there, write_atomically
from geofence.state.records import DAMAGE, MOMENT, RecordError, moment, seal, text, unseal

FORMAT = 1
NAME = "confirmed.json"


class Confirmed(NamedTuple):
    """A time in place of that in the files of a list."""

    written: datetime
    """What they say, UTC."""
    at: datetime
    """When its source last confirmed the list, UTC."""


class Confirmations:
    """The later times of one directory of lists.

    Reading needs no lock: the file is replaced as a whole. Writing needs it.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._stamp = ""
        self._known: dict[ListId, Confirmed] = {}

    def latest(self, wanted: ListId, written: datetime) -> datetime:
        """Return when a list was last confirmed, whose file says that it was so at some time."""
        known = self._current().get(wanted)
        return known.at if known and known.written == written else written

    def noted(self, wanted: ListId) -> str:
        """Return what tells the time that is recorded of a list from others; empty for none."""
        known = self._current().get(wanted)
        return known.at.isoformat() if known else ""

    def note(self, confirmed: Mapping[ListId, tuple[datetime, datetime]]) -> None:
        """Record that lists were confirmed; the caller holds the lock.

        Args:
            confirmed: when each was last confirmed before, as ``latest`` says, and now.

        Raises:
            StateError: it could not be written; what was recorded before is unchanged.
        """
        if not confirmed:
            return
        known = self._current()
        times = {
            name: Confirmed(known[name].written, at)
            if name in known and known[name].at == before
            else Confirmed(before, at)
            for name, (before, at) in confirmed.items()
        }
        write_atomically(self._path, _encode({**known, **times}), flush_directory=False)

    def _current(self) -> Mapping[ListId, Confirmed]:
        stamped = stamp(self._path)
        if stamped != self._stamp:
            self._known, self._stamp = _read(self._path), stamped
        return self._known


def _read(path: Path) -> dict[ListId, Confirmed]:
    try:
        data = read_if_there(path)
        return {} if data is None else _decode(data)
    except (StateError, RecordError, *DAMAGE):
        return {}


def _encode(known: Mapping[ListId, Confirmed]) -> bytes:
    facts = [[*name, *map(MOMENT.write, times)] for name, times in sorted(known.items())]
    return seal(FORMAT, json.dumps(facts).encode())


def _decode(data: bytes) -> dict[ListId, Confirmed]:
    """Return what a file holds.

    Raises:
        RecordError, ValueError, LookupError, TypeError, …: it is damaged, or of another format.
    """
    _, body = unseal(data, FORMAT)
    return {
        ListId(ListKind(kind), text(name)): Confirmed(moment(written), moment(at))
        for kind, name, written, at in json.loads(body)
    }
