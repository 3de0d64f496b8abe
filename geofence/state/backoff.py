"""Hosts of lists that asked to be left alone for longer than a run: one small JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from geofence.errors import StateError
from geofence.state.files import read_if_there, write_atomically

_MOST_HOSTS = 50
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


def load_busy(state_directory: Path) -> Mapping[str, datetime]:
    """Return until when which hosts are to be left alone, UTC; none if the file is damaged."""
    try:
        data = read_if_there(_path(state_directory))
        return {} if data is None else _decode(data)
    except (StateError, *_DAMAGE):
        return {}


def save_busy(state_directory: Path, busy: Mapping[str, datetime]) -> None:
    """Write them down, if that changes anything; the caller holds the lock.

    Raises:
        StateError: the file could not be written.
    """
    if busy == load_busy(state_directory):
        return
    some = list(busy.items())[:_MOST_HOSTS]
    facts = {host: until.isoformat() for host, until in some}
    write_atomically(_path(state_directory), json.dumps(facts).encode() + b"\n")


def _path(state_directory: Path) -> Path:
    return state_directory / "busy.json"


def _decode(data: bytes) -> dict[str, datetime]:
    known = {host: datetime.fromisoformat(until) for host, until in json.loads(data).items()}
    if any(until.tzinfo is None for until in known.values()):
        raise ValueError("A time must say its zone.")
    return {host: until.astimezone(UTC) for host, until in known.items()}
