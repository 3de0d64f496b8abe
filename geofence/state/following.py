"""The reading of Asterisk's configuration that is in force: a small sealed file.

It is what following compares the next reading with, and what it falls back to.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from geofence.asterisk.reading import (
    HostKind,
    Listener,
    PortRange,
    Reading,
    ReadingWarning,
    Server,
    Trunk,
    Use,
    WarningKind,
)
from geofence.errors import StateError
from geofence.model.ports import Protocol
from geofence.state.files import ensure_private_directory, read_if_there, write_atomically
from geofence.state.records import (
    COUNT,
    DAMAGE,
    FLAG,
    UTF8,
    Codec,
    RecordError,
    choice,
    many,
    maybe,
    objects,
    seal,
    unseal,
)
from geofence.translation import tr

_FORMAT = 1
_MOST_PORT = 65_535


def _port(value: object) -> int:
    port: int = COUNT.read(value)
    if not 0 < port <= _MOST_PORT:
        raise ValueError("A port was expected.")
    return port


def _pair(value: Any) -> tuple[int, int]:  # noqa: ANN401 - whatever the file holds
    first, last = map(_port, value)
    return first, last


def _families(value: Any) -> frozenset[int]:  # noqa: ANN401 - whatever the file holds
    found = frozenset(map(COUNT.read, value))
    if not found <= {4, 6}:
        raise ValueError("Families were expected.")
    return found


_PORT: Codec[int] = Codec(_port, lambda port: port)
_ENDS: Codec[tuple[int, int]] = Codec(_pair, list)
_FAMILIES: Codec[frozenset[int]] = Codec(_families, sorted)
_TEXTS = many(UTF8)
_LISTENER = objects(
    Listener,
    protocol=choice(Protocol),
    port=_PORT,
    families=_FAMILIES,
    bind=UTF8,
    use=choice(Use),
    source=UTF8,
    exposed=FLAG,
    certain=FLAG,
)
_RANGE = objects(
    PortRange,
    first=_PORT,
    last=_PORT,
    source=UTF8,
    families=_FAMILIES,
    declared=maybe(_ENDS),
    declared_from_23=maybe(_ENDS),
    needed=FLAG,
)
_TRUNK = objects(
    Trunk,
    host=UTF8,
    kind=choice(HostKind),
    sources=_TEXTS,
    port=maybe(_PORT),
    srv=FLAG,
    left_out=_TEXTS,
    use=choice(Use),
)
_SERVER = objects(Server, host=UTF8, port=_PORT)
_UNSEEN = objects(ReadingWarning, kind=choice(WarningKind), where=UTF8)
_READING = objects(
    Reading,
    listeners=many(_LISTENER),
    rtp=maybe(_RANGE),
    rtp_more=many(_RANGE),
    udptl=maybe(_RANGE),
    trunks=many(_TRUNK),
    local_nets=_TEXTS,
    external=_TEXTS,
    stun=many(_SERVER),
    turn=many(_SERVER),
    unseen=many(_UNSEEN),
    invalid=_TEXTS,
    files=_TEXTS,
)
"""Without warnings, which are told when a configuration is read."""


class ReadingStore:
    """The reading in force of one state directory."""

    def __init__(self, state_directory: Path) -> None:
        self._directory = state_directory / "asterisk"
        self._path = self._directory / "reading.json"

    def load(self) -> Reading | None:
        """Return the reading in force; None if there is none.

        Raises:
            StateError: the file is there and cannot be read, cannot be trusted or is damaged.
        """
        content = read_if_there(self._path)
        if content is None:
            return None
        try:
            _, body = unseal(content, _FORMAT)
            return _READING.read(json.loads(body))
        except RecordError as error:
            raise self._unusable(str(error)) from error
        except DAMAGE as error:
            raise self._unusable(tr("It is damaged.")) from error

    def save(self, reading: Reading) -> None:
        """Write the reading in force, if it has changed; the caller holds the lock.

        Raises:
            StateError: it could not be written; the former file is unchanged.
        """
        body = json.dumps(_READING.write(reading)).encode()
        content = seal(_FORMAT, body)
        if content == self._content():
            return
        ensure_private_directory(self._directory)
        write_atomically(self._path, content)

    def _content(self) -> bytes | None:
        try:
            return read_if_there(self._path)
        except StateError:
            return None

    def _unusable(self, why: str) -> StateError:
        return StateError(
            tr(
                "The last reading of Asterisk's configuration ({path}) cannot be used. {why} The "
                "next refresh reads the configuration anew.",
                path=self._path,
                why=why,
            )
        )
