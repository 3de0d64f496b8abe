"""The backends, and which of them holds the fence.

A new backend adds its folder and a line to ``BackendChoice``.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import NamedTuple, cast

from geofence.backends.interface import Backend
from geofence.errors import BackendUnavailable
from geofence.model.policy import BackendChoice

MODULES = {
    choice.value: f"geofence.backends.{choice}"
    for choice in BackendChoice
    if choice is not BackendChoice.AUTO
}
"""Package of each backend, in the order ``auto`` prefers them; each has ``backend()``."""


class Chosen(NamedTuple):
    """A backend and the reason for it, for people."""

    backend: Backend
    why: str


def choose(
    choice: BackendChoice, because: str = "as the rules say", holder: str | None = None
) -> Chosen:
    """The backend that is asked for.

    ``auto`` takes the first that can work here and has no rival; where all have one, the first that
    can work. The one that holds the fence already comes first of all: a fence that moves to and fro
    would be out of somebody's reach each time.

    Args:
        choice: what is asked for.
        because: who asks, to follow the name of the backend.
        holder: name of the backend that holds the fence already, if any does.

    Raises:
        BackendUnavailable: it cannot work here; the message names what is missing.
    """
    if choice is not BackendChoice.AUTO:
        return _named(choice, because)
    able: list[Backend] = []
    against: list[str] = []
    for name in _ranked(holder):
        backend = load(name)
        obstacle = backend.obstacle()
        if obstacle is None:
            able.append(backend)
        reason = obstacle or backend.rival()
        if reason is None:
            return _chosen(backend, against)
        against.append(reason)
    if not able:
        raise BackendUnavailable(" ".join(dict.fromkeys(against)))
    return _chosen(able[0], against)


def others(backend: Backend) -> Iterator[Backend]:
    """The backends that are not the one given."""
    return (load(name) for name in MODULES if name != backend.name)


def _ranked(holder: str | None) -> list[str]:
    return sorted(MODULES, key=lambda name: name != holder)


def _named(choice: BackendChoice, because: str) -> Chosen:
    backend = load(choice.value)
    obstacle = backend.obstacle()
    if obstacle is not None:
        raise BackendUnavailable(obstacle)
    rival = backend.rival()
    return Chosen(backend, f"{choice.value}, {because}{f' ({rival})' if rival else ''}")


def _chosen(backend: Backend, against: list[str]) -> Chosen:
    because = f" ({' '.join(against)})" if against else ""
    return Chosen(backend, f"{backend.name}, chosen automatically{because}")


def load(name: str) -> Backend:
    """The backend of that name; its packages are imported only now."""
    return cast("Backend", import_module(MODULES[name]).backend())
