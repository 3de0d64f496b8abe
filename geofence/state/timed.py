"""What is allowed until a time, on disk: ``restore`` needs neither rules, lists nor names."""

from __future__ import annotations

from collections.abc import Mapping

from geofence.errors import StateError
from geofence.lean import Path
from geofence.lean_json import dumps, loads
from geofence.model.elements import TimedPrefix
from geofence.model.ruleset import Role, SetKey
from geofence.state.files import TIMED_RECORD, read_if_there, state_error, write_atomically
from geofence.state.records import (
    DAMAGE,
    NUMBER,
    PREFIX,
    RecordError,
    maybe,
    objects,
    seal,
    unseal,
)
from geofence.translation import tr

_FORMAT = 1
_TIMED = objects(TimedPrefix, prefix=PREFIX, until=maybe(NUMBER))

Timed = Mapping[SetKey, tuple[TimedPrefix, ...]]


class TimedStore:
    """The exceptions for a time of one state directory, as prefixes."""

    def __init__(self, state_directory: Path) -> None:
        self._path = state_directory / TIMED_RECORD

    def load(self) -> Timed:
        """Return what is allowed until when, by set.

        Raises:
            StateError: the file is there and cannot be read, cannot be trusted or is damaged.
        """
        content = read_if_there(self._path)
        if content is None:
            return {}
        try:
            _, body = unseal(content, _FORMAT)
            return dict(_set(name, timed) for name, timed in loads(body).items())
        except RecordError as error:
            raise self._unusable(str(error)) from error
        except (*DAMAGE, OSError) as error:
            raise self._unusable(tr("It is damaged.")) from error

    def record(self, timed: Timed) -> None:
        """Write what is allowed until when; nothing leaves no file.

        Raises:
            StateError: it could not be written; the former file is unchanged.
        """
        held = {key.name: list(map(_TIMED.write, found)) for key, found in timed.items() if found}
        if not held:
            self._forget()
        elif held != self._held():
            body = dumps(held, (",", ":")).encode()
            write_atomically(self._path, seal(_FORMAT, body))

    def _forget(self) -> None:
        try:
            self._path.unlink()
        except FileNotFoundError:
            pass
        except OSError as error:  # a disk that cannot be written says so of missing files, too
            if self._path.exists():
                raise state_error("removed", self._path, error) from error

    def _held(self) -> object:
        try:
            return {key.name: list(map(_TIMED.write, each)) for key, each in self.load().items()}
        except StateError:
            return None

    def _unusable(self, why: str) -> StateError:
        return StateError(
            tr(
                "The exceptions for a time ({path}) cannot be read. {why} The next refresh writes "
                "them anew.",
                path=self._path,
                why=why,
            )
        )


def _set(name: str, timed: list[object]) -> tuple[SetKey, tuple[TimedPrefix, ...]]:
    key = SetKey.parse(name)
    if key is None or key.role is not Role.TIMED:
        raise ValueError("A set was expected.")
    return key, tuple(map(_TIMED.read, timed))
