"""Small records of a state directory: the last outcome, a pending ruleset, the age of counters.

Each is a small JSON file. A damaged or missing one means that nothing is known, which every reader
treats as the safer case.
"""

from __future__ import annotations

from enum import StrEnum

from geofence.errors import StateError
from geofence.lean import Path, datetime
from geofence.lean_json import dumps, loads
from geofence.model.frozen import dataclass, replace
from geofence.state.files import read_if_there, state_error, write_atomically
from geofence.state.records import (
    COUNT,
    DAMAGE,
    MOMENT,
    NUMBER,
    TEXT,
    Codec,
    choice,
    items,
    many,
    maybe,
    objects,
    text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    _T = TypeVar("_T")


class Ending(StrEnum):
    """How a run ended."""

    DONE = "done"
    DEGRADED = "degraded"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ended:
    """How one run of a command ended."""

    command: str
    ending: Ending
    at: datetime
    """UTC."""
    message: str = ""


@dataclass(frozen=True, slots=True)
class RunOutcome(Ended):
    """The last run that was to update the fence, and what the daemon repaired."""

    notify_command: tuple[str, ...] = ()
    """The hook of the last rules that loaded; used if they do not load now."""
    notify_mail: tuple[str, ...] = ()
    """Likewise, the addresses that get a mail."""
    notify_webhook_file: str = ""
    """Likewise, the file with the URL of a webhook; never the URL."""
    healed: int = 0
    """How often a change by another program was repaired."""
    healed_at: datetime | None = None
    """When the last one was repaired, UTC."""
    failing: str = ""
    """Why the daemon cannot repair such a change; empty if it can."""
    unresolved: tuple[Ended, ...] = ()
    """Runs that ended badly, each until a later run shows that the cause is over: the last of each
    command, oldest first. The last run of all is among them if it ended badly."""


@dataclass(frozen=True, slots=True)
class Probation:
    """A pending ruleset: undone unless it is confirmed in time."""

    token: str
    former: int | None
    """Number of the generation to return to; None: there was no fence."""
    deadline: datetime
    """UTC, for people."""
    until: float
    """Deadline on the boot-time clock, in seconds; immune to clock changes."""
    boot: str
    """ID of the boot in which it began; after another boot, it is over."""
    watchman: str = ""
    """Number and start time of the process that waits to undo it; empty if unknown."""

    def is_over(self, boot: str, seconds: float) -> bool:
        """Whether the time to confirm is over.

        Args:
            boot: ID of the present boot.
            seconds: on the boot-time clock.
        """
        return self.boot != boot or seconds >= self.until


@dataclass(frozen=True, slots=True)
class Counting:
    """When the rules in the kernel, and their counters of dropped packets, were made."""

    since: datetime
    """UTC."""
    boot: str
    """ID of the boot in which they were made; they do not survive another."""


def _command(value: object) -> tuple[str, ...]:
    """Return a program and its arguments; empty for none."""
    command = tuple(map(text, items(value)))
    if command and not command[0].startswith("/"):
        raise ValueError("A program is named by its absolute path.")
    if any("\0" in part for part in command):
        raise ValueError("No argument can hold a null.")
    return command


def _addresses(value: object) -> tuple[str, ...]:
    """Return addresses of mail, none of which a program takes for an option."""
    found = tuple(map(text, items(value)))
    if any(each.startswith("-") or not each.isprintable() for each in found):
        raise ValueError("That is not an address of mail.")
    return found


def _path(value: object) -> str:
    path = text(value)
    if path and (not path.startswith("/") or "\0" in path):
        raise ValueError("A file is named by its absolute path.")
    return path


_ENDED = objects(Ended, command=TEXT, ending=choice(Ending), at=MOMENT, message=TEXT)
_OUTCOME = objects(
    RunOutcome,
    command=TEXT,
    ending=choice(Ending),
    at=MOMENT,
    message=TEXT,
    notify_command=Codec(_command, list),
    notify_mail=Codec(_addresses, list),
    notify_webhook_file=Codec(_path, str),
    healed=COUNT,
    healed_at=maybe(MOMENT),
    failing=TEXT,
    unresolved=many(_ENDED),
)
_PROBATION = objects(
    Probation,
    token=TEXT,
    former=maybe(COUNT),
    deadline=MOMENT,
    until=NUMBER,
    boot=TEXT,
    watchman=TEXT,
)
_COUNTING = objects(Counting, since=MOMENT, boot=TEXT)


class Journal:
    """The small records of one state directory."""

    def __init__(self, state_directory: Path) -> None:
        self._outcome = state_directory / "outcome.json"
        self._probation = state_directory / "probation.json"
        self._counting = state_directory / "counting.json"

    def outcome(self) -> RunOutcome | None:
        """Return the last outcome, if one is known."""
        facts = _facts(self._outcome)
        found = _read(facts, _OUTCOME)
        if found is None or "unresolved" in facts:
            return found
        # A release that kept no list of unresolved runs knew the last run only.
        last = Ended(found.command, found.ending, found.at, found.message)
        return replace(found, unresolved=() if found.ending is Ending.DONE else (last,))

    def write_outcome(self, outcome: RunOutcome) -> None:
        """Write an outcome.

        Raises:
            StateError: it could not be written.
        """
        _write(self._outcome, _OUTCOME.write(outcome))

    def counting(self) -> Counting | None:
        """Return since when the rules count, if that is known."""
        return _read(_facts(self._counting), _COUNTING)

    def write_counting(self, counting: Counting) -> None:
        """Record that rules were made.

        Raises:
            StateError: it could not be written.
        """
        _write(self._counting, _COUNTING.write(counting))

    def probation(self) -> Probation | None:
        """Return the pending ruleset, if there is one."""
        return _read(_facts(self._probation), _PROBATION)

    def begin_probation(self, probation: Probation) -> None:
        """Record that a ruleset will be pending, before anything is changed.

        Raises:
            StateError: it could not be written.
        """
        _write(self._probation, _PROBATION.write(probation))

    def end_probation(self) -> None:
        """Record that nothing is pending: the ruleset was confirmed or undone.

        Raises:
            StateError: it could not be recorded.
        """
        try:
            self._probation.unlink(missing_ok=True)
        except OSError as error:
            raise state_error("removed", self._probation, error) from error


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = loads(read_if_there(path) or b"{}")
    except (StateError, *DAMAGE):
        return {}
    return facts if isinstance(facts, dict) else {}


def _read(facts: dict[str, Any], codec: Codec[_T]) -> _T | None:
    try:
        return codec.read(facts)
    except DAMAGE:
        return None


def _write(path: Path, facts: dict[str, Any]) -> None:
    write_atomically(path, dumps(facts).encode())
