"""Bans on disk: a log to which each ban and each end of one is appended.

Programs ban by the hundred, so a ban costs one line, flushed to the disk, and not a new file. A
line that a power cut has torn, or that is damaged, is left out and counted. The log is written anew
when most of its lines no longer count.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from geofence.model.bans import Ban
from geofence.model.frozen import dataclass
from geofence.model.prefixes import Prefix
from geofence.state.files import (
    BANS_LOG,
    PRIVATE_FILE,
    ensure_private_directory,
    read_if_there,
    state_error,
    write_atomically,
)
from geofence.state.lock import exclusive
from geofence.state.records import DAMAGE, MOMENT, PREFIX, UTF8, maybe, objects

_BAN = objects(Ban, prefix=PREFIX, at=MOMENT, until=maybe(MOMENT), reason=UTF8)
_UNBANNED = "unbanned"
_SPARE = 1_000
"""Lines that no longer count, beyond as many as do, before the log is written anew."""


@dataclass(frozen=True, slots=True)
class Banned:
    """What the log says."""

    bans: Mapping[Prefix, Ban]
    """By prefix; those that have ended, too."""
    lines: int = 0
    damaged: int = 0
    """Lines that could not be read."""

    def lasting(self, now: datetime) -> dict[Prefix, Ban]:
        """Return the bans that have not ended."""
        return {prefix: ban for prefix, ban in self.bans.items() if ban.lasts(now)}


class BanStore:
    """The bans of one state directory."""

    def __init__(self, state_directory: Path) -> None:
        self._log = state_directory / BANS_LOG
        self._directory = self._log.parent

    @property
    def path(self) -> Path:
        """The log."""
        return self._log

    @contextmanager
    def held(self, wait_seconds: float) -> Iterator[None]:
        """Keep other processes from changing bans; independent of the lock of runs.

        Raises:
            BusyError: another process changes bans all that time.
            StateError: the directory cannot be used.
        """
        ensure_private_directory(self._directory)
        with exclusive(self._directory, wait_seconds):
            yield

    def load(self) -> Banned:
        """Return all bans.

        Raises:
            StateError: the log is there and cannot be read, or cannot be trusted.
        """
        content = read_if_there(self._log)
        if not content:
            return Banned({})
        found: dict[Prefix, Ban] = {}
        lines = content.split(b"\n")
        damaged = sum(not _obey(line, found) for line in lines if line)
        return Banned(found, len(lines), damaged)

    def append(self, bans: Iterable[Ban] = (), unbanned: Iterable[Prefix] = ()) -> None:
        """Write bans, and the ends of others; the caller holds the lock.

        Raises:
            StateError: they could not be written.
        """
        lines = [*map(_BAN.write, bans), *({_UNBANNED: str(prefix)} for prefix in unbanned)]
        if not lines:
            return
        # A torn line before it, if there is one, ends at the first newline.
        text = "\n" + "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        try:
            _append(self._log, text.encode())
        except OSError as error:
            raise state_error("written", self._log, error) from error

    def tidy(self, banned: Banned, now: datetime) -> None:
        """Write the log anew if most of its lines no longer count; the caller holds the lock.

        Raises:
            StateError: it could not be written; the old one is unchanged.
        """
        lasting = banned.lasting(now)
        if banned.lines > 2 * len(lasting) + _SPARE:
            lines = (json.dumps(_BAN.write(ban), separators=(",", ":")) for ban in lasting.values())
            write_atomically(self._log, "".join(f"{line}\n" for line in lines).encode())


def _obey(line: bytes, found: dict[Prefix, Ban]) -> bool:
    """Do what a line says; false if it cannot be read."""
    try:
        facts = json.loads(line)
        if _UNBANNED in facts:
            found.pop(PREFIX.read(facts[_UNBANNED]), None)
        else:
            ban = _BAN.read(facts)
            found[ban.prefix] = ban
    except (*DAMAGE, OSError):
        return False
    return True


def _append(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, PRIVATE_FILE)
    try:
        written = 0
        while written < len(data):
            written += os.write(descriptor, data[written:])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
