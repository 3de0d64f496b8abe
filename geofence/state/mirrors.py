"""What is remembered of signed mirrors: a small JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geofence.errors import StateError
from geofence.mirror.memory import MirrorMemory, Seen
from geofence.state.files import read_if_there, write_atomically
from geofence.state.records import DAMAGE, TEXT, count, maybe, text

_MOST = 10
"""Mirrors and keys that are remembered; rules name one or two."""


def load_mirrors(state_directory: Path) -> MirrorMemory:
    """Return what is remembered; nothing if that is damaged."""
    try:
        data = read_if_there(_path(state_directory))
        return MirrorMemory() if data is None else _decode(data)
    except (StateError, *DAMAGE):
        return MirrorMemory()


def save_mirrors(state_directory: Path, memory: MirrorMemory) -> None:
    """Write what is remembered, if it has changed; the caller holds the lock.

    A serial number that another run has remembered meanwhile stays if it is higher.

    Raises:
        StateError: the file could not be written.
    """
    before = load_mirrors(state_directory)
    serials = {**before.serials}
    for key, serial in memory.serials.items():
        serials[key] = max(serial, serials.get(key, 0))
    kept = MirrorMemory(_last(memory.seen), _last(serials))
    if kept == before:
        return
    seen = {
        url: {"etag": each.etag, "index": each.document.decode(errors="replace")}
        for url, each in kept.seen.items()
    }
    facts = {"serials": kept.serials, "seen": seen}
    write_atomically(_path(state_directory), json.dumps(facts).encode() + b"\n")


def _last(known: Mapping[str, Any]) -> dict[str, Any]:
    return dict(list(known.items())[-_MOST:])


def _path(state_directory: Path) -> Path:
    return state_directory / "mirrors.json"


def _decode(data: bytes) -> MirrorMemory:
    facts = json.loads(data)
    read = maybe(TEXT).read
    seen = {
        url: Seen(read(each["etag"]), text(each["index"]).encode())
        for url, each in facts["seen"].items()
    }
    return MirrorMemory(seen, {key: count(serial) for key, serial in facts["serials"].items()})
