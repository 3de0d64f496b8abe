"""What is known of the shield, on disk: commands that may not ask the kernel read it here."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from geofence.errors import StateError
from geofence.host.boot import boot_id
from geofence.model.prefixes import Family
from geofence.model.shield import (
    LeftOut,
    OnInterface,
    ShieldDrops,
    ShieldReason,
    ShieldRecord,
    ShieldState,
    Why,
)
from geofence.state.files import read_if_there, write_atomically
from geofence.state.records import COUNT, DAMAGE, MOMENT, TEXT, choice, many, maybe, objects

NAME = "shield.json"
LOCK = "shield.lock"
"""The file that the process which keeps the shield holds locked."""
_DROPS = objects(ShieldDrops, service=TEXT, family=choice(Family), packets=COUNT, octets=COUNT)
_RECORD = objects(
    ShieldRecord,
    state=choice(ShieldState),
    since=MOMENT,
    boot=TEXT,
    reasons=many(objects(ShieldReason, why=choice(Why), subject=TEXT)),
    left_out=many(objects(LeftOut, service=TEXT, why=choice(Why))),
    interfaces=many(objects(OnInterface, number=COUNT, name=TEXT, how=TEXT, program=COUNT)),
    generation=maybe(COUNT),
    mark=COUNT,
    samples=COUNT,
    fingerprint=TEXT,
    dropped=many(_DROPS),
    before=many(_DROPS),
    services=many(TEXT),
)


def read_shield(state_directory: Path) -> ShieldRecord | None:
    """Return what was recorded since the boot; None if nothing was, or it is damaged."""
    try:
        content = read_if_there(state_directory / NAME)
        found = None if content is None else _RECORD.read(json.loads(content))
    except (StateError, *DAMAGE):
        return None
    return found if found is not None and found.boot == boot_id() else None


def write_shield(state_directory: Path, record: ShieldRecord) -> None:
    """Record it.

    Raises:
        StateError: it could not be written.
    """
    write_atomically(state_directory / NAME, json.dumps(_RECORD.write(record), indent=1).encode())


def is_kept(state_directory: Path) -> bool:
    """Whether a process keeps the shield."""
    try:
        descriptor = os.open(state_directory / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
