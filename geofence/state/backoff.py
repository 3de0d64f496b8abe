"""Hosts that asked geofence to wait longer than a run before it asks again: a small JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from geofence.errors import StateError
from geofence.state.files import read_if_there, write_atomically
from geofence.state.records import DAMAGE, MOMENT, moment

_MOST_HOSTS = 50


def load_busy(state_directory: Path) -> Mapping[str, datetime]:
    """Return the hosts with the time when each may be asked again, UTC; none if damaged."""
    try:
        data = read_if_there(_path(state_directory))
        return {} if data is None else _decode(data)
    except (StateError, *DAMAGE):
        return {}


def save_busy(state_directory: Path, busy: Mapping[str, datetime]) -> None:
    """Write the hosts and times, if they have changed; the caller holds the lock.

    Raises:
        StateError: the file could not be written.
    """
    if busy == load_busy(state_directory):
        return
    some = list(busy.items())[:_MOST_HOSTS]
    facts = {host: MOMENT.write(until) for host, until in some}
    write_atomically(_path(state_directory), json.dumps(facts).encode() + b"\n")


def _path(state_directory: Path) -> Path:
    return state_directory / "busy.json"


def _decode(data: bytes) -> dict[str, datetime]:
    return {host: moment(until) for host, until in json.loads(data).items()}
