"""Where a target's fence was applied: a small file beside its generations.

A kubeconfig's current context, or the rules, may lead elsewhere from one run to the next. The fence
of before would stay where it is, and nobody would keep it up to date.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from geofence.errors import StateError
from geofence.state.files import read_if_there, write_atomically
from geofence.state.records import DAMAGE, UTF8, objects

NAME = "applied-to.json"


class AppliedTo(NamedTuple):
    """Where a fence is."""

    server: str
    """URL of the API server."""
    namespace: str
    """Empty for a fence of nodes."""
    kind: str
    """Kind of the target: other engines have other objects."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.namespace, self.server) if part)


_CODEC = objects(AppliedTo, server=UTF8, namespace=UTF8, kind=UTF8)


def read_applied_to(state_directory: Path) -> AppliedTo | None:
    """Return where the fence was applied last; None if that is not known."""
    with suppress(StateError, *DAMAGE):
        content = read_if_there(state_directory / NAME)
        return None if content is None else _CODEC.read(json.loads(content))
    return None


def write_applied_to(state_directory: Path, where: AppliedTo) -> None:
    """Record where the fence was applied, if that is not recorded yet; the caller holds the lock.

    Raises:
        StateError: it could not be written.
    """
    if read_applied_to(state_directory) != where:
        content = json.dumps(_CODEC.write(where)).encode()
        write_atomically(state_directory / NAME, content)


def forget_applied_to(state_directory: Path) -> None:
    """Record that the fence is nowhere any more."""
    with suppress(OSError):  # on a read-only disk, moving it asks once more
        (state_directory / NAME).unlink(missing_ok=True)
