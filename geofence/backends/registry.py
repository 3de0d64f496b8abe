"""The registry of backends, and the choice of the one that holds the fence.

A new backend adds its folder and a line to ``BackendChoice``.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from geofence.errors import BackendUnavailable
from geofence.model.choices import BackendChoice
from geofence.model.chosen import ChosenBackend, ChosenBy
from geofence.model.frozen import NamedTuple
from geofence.translation import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.backends.interface import Backend

MODULES = {
    choice.value: f"geofence.backends.{choice}"
    for choice in BackendChoice
    if choice is not BackendChoice.AUTO
}
"""Package of each backend, in the order ``auto`` prefers them; each has ``new_backend()`` and
``new_noting()``."""


class Chosen(NamedTuple):
    """A backend and the reason for it."""

    backend: Backend
    reason: ChosenBackend


def choose(
    choice: BackendChoice,
    by: ChosenBy = ChosenBy.RULES,
    holder: str | None = None,
    generation: int | None = None,
    *,
    rivals: bool = True,
) -> Chosen:
    """Return the backend that is asked for.

    ``auto`` takes the first that can work here and has no rival; where all have one, the first that
    can work. The one that holds the fence already comes first of all: a fence that moves to and fro
    would be out of some program's reach each time.

    Args:
        choice: what is asked for.
        by: who asks.
        holder: name of the backend that holds the fence already, if any does.
        generation: number of the generation that asks, if one does.
        rivals: whether to look for programs that speak against the backend that is named.

    Raises:
        BackendUnavailable: it cannot work here; the message names what is missing.
    """
    if choice is not BackendChoice.AUTO:
        return _named(choice, by, generation, rivals=rivals)
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
        raise BackendUnavailable(join(" ", dict.fromkeys(against)))
    return _chosen(able[0], against)


def others(backend: Backend) -> Iterator[Backend]:
    """Yield the backends beside the one given that may hold something in the kernel."""
    return (load(name) for name in MODULES if name != backend.name and _may_hold(name))


def _may_hold(name: str) -> bool:
    """Whether the kernel may hold anything of a backend's, which is imported only then."""
    return bool(import_module(f"{MODULES[name]}.traces").may_hold())


def _ranked(holder: str | None) -> list[str]:
    return sorted(MODULES, key=lambda name: name != holder)


def _named(choice: BackendChoice, by: ChosenBy, generation: int | None, *, rivals: bool) -> Chosen:
    backend = load(choice.value)
    obstacle = backend.obstacle()
    if obstacle is not None:
        raise BackendUnavailable(obstacle)
    rival = backend.rival() if rivals else None
    return Chosen(backend, ChosenBackend(backend.name, by, generation, (rival,) if rival else ()))


def _chosen(backend: Backend, against: list[str]) -> Chosen:
    reason = ChosenBackend(backend.name, ChosenBy.AUTOMATIC, None, tuple(dict.fromkeys(against)))
    return Chosen(backend, reason)


def load(name: str) -> Backend:
    """Return the backend of that name; its packages are imported only now."""
    backend: Backend = import_module(MODULES[name]).new_backend()
    return backend
