"""What runs leave for each other beside lists and generations: the last outcome, a probation.

Both are small JSON files. A damaged or missing one means that nothing is known, which every reader
takes for the safer case.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from geofence.errors import StateError
from geofence.state.files import read_if_there, state_error, write_atomically

_WRONG = (LookupError, TypeError, ValueError, ArithmeticError)
"""What reading facts raises that are not what they should be."""


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
class Outcome(Ended):
    """The last run that was to keep the fence up to date, and what the daemon had to heal."""

    notify_command: tuple[str, ...] = ()
    """The hook of the last rules that loaded, for the day when they no longer do."""
    healed: int = 0
    """How often somebody else's change to the fence was put right."""
    healed_at: datetime | None = None
    """When last, UTC."""
    failing: str = ""
    """Why the daemon cannot put such a change right; empty while it can."""
    unresolved: tuple[Ended, ...] = ()
    """Runs that ended badly, each until another shows that this is over; of each command the last,
    oldest first. The last run of all is among them if it ended badly."""


@dataclass(frozen=True, slots=True)
class Probation:
    """A ruleset that goes again unless it is confirmed in time."""

    token: str
    former: int | None
    """Number of the generation to return to; None: there was no fence."""
    deadline: datetime
    """UTC, for people."""
    until: float
    """The same in seconds since that boot, which nobody who sets the clock can move."""
    boot: str
    """Which boot of the host it began in; after another, it is over."""
    watchman: str = ""
    """Number and start time of the process that waits to undo it; empty if it is not known."""


@dataclass(frozen=True, slots=True)
class Counting:
    """When the rules in the kernel were made, and with them the counters of what they drop."""

    since: datetime
    """UTC."""
    boot: str
    """Which boot of the host they were made in; none outlives it."""


class Journal:
    """The small files of one state directory."""

    def __init__(self, state_directory: Path) -> None:
        self._outcome = state_directory / "outcome.json"
        self._probation = state_directory / "probation.json"
        self._counting = state_directory / "counting.json"

    def outcome(self) -> Outcome | None:
        """The last outcome, if one is known."""
        facts = _read(self._outcome)
        try:
            last = _ended(facts)
            return Outcome(
                **asdict(last),
                notify_command=_command(facts["notify_command"]),
                healed=_count(facts["healed"]),
                healed_at=None if facts["healed_at"] is None else _moment(facts["healed_at"]),
                failing=_text(facts.get("failing", "")),
                unresolved=_unresolved(facts, last),
            )
        except _WRONG:
            return None

    def write_outcome(self, outcome: Outcome) -> None:
        """Write an outcome down.

        Raises:
            StateError: it could not be written.
        """
        _write(self._outcome, asdict(outcome))

    def counting(self) -> Counting | None:
        """Since when rules count, if that is known."""
        facts = _read(self._counting)
        try:
            return Counting(_moment(facts["since"]), _text(facts["boot"]))
        except _WRONG:
            return None

    def write_counting(self, counting: Counting) -> None:
        """Write down that rules were made.

        Raises:
            StateError: it could not be written.
        """
        _write(self._counting, asdict(counting))

    def probation(self) -> Probation | None:
        """The ruleset on probation, if one is."""
        facts = _read(self._probation)
        try:
            return Probation(
                token=_text(facts["token"]),
                former=None if facts["former"] is None else _count(facts["former"]),
                deadline=_moment(facts["deadline"]),
                until=_seconds(facts["until"]),
                boot=_text(facts["boot"]),
                watchman=_text(facts.get("watchman", "")),
            )
        except _WRONG:
            return None

    def begin_probation(self, probation: Probation) -> None:
        """Write a probation down, before anything is changed.

        Raises:
            StateError: it could not be written.
        """
        _write(self._probation, asdict(probation))

    def end_probation(self) -> None:
        """It was confirmed, or the former state is back.

        Raises:
            StateError: it could not be written down.
        """
        try:
            self._probation.unlink(missing_ok=True)
        except OSError as error:
            raise state_error("removed", self._probation, error) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(read_if_there(path) or b"{}")
    except (StateError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _write(path: Path, facts: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(facts, default=str, indent=1).encode())


def _unresolved(facts: dict[str, Any], last: Ended) -> tuple[Ended, ...]:
    """What is unresolved; a file of a release that did not keep it tells it of the last run."""
    if "unresolved" in facts:
        return tuple(map(_ended, facts["unresolved"]))
    return () if last.ending is Ending.DONE else (last,)


def _ended(facts: dict[str, Any]) -> Ended:
    return Ended(
        command=_text(facts["command"]),
        ending=Ending(facts["ending"]),
        at=_moment(facts["at"]),
        message=_text(facts["message"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("A text was expected.")
    return value


def _command(value: object) -> tuple[str, ...]:
    """A program and its arguments; empty for none."""
    if not isinstance(value, list):
        raise TypeError("A list was expected.")
    command = tuple(map(_text, value))
    if command and not command[0].startswith("/"):
        raise ValueError("A program is named by its absolute path.")
    if any("\0" in part for part in command):
        raise ValueError("No argument can hold a null.")
    return command


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("A whole number was expected.")
    return value


def _seconds(value: object) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise ValueError("A number was expected.")
    return float(value)  # type: ignore[arg-type]


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError("A time must say its zone.")
    return moment.astimezone(UTC)
