"""The fences that the kernel holds now, and the rulesets that they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from geofence.backends import registry
from geofence.backends.interface import Backend
from geofence.errors import BackendError, BackendUnavailable, StateError
from geofence.model.plan import Observed
from geofence.model.ruleset import Ruleset
from geofence.operations.site import Site
from geofence.plan import make_plan
from geofence.plan.observed_ruleset import Held, held
from geofence.state.generations import Damaged

_MOST_GENERATIONS = 10
"""Recorded rulesets that the kernel's rules are compared with, newest first."""


@dataclass(frozen=True, slots=True)
class KernelFences:
    """The fences in the kernel."""

    held: tuple[tuple[Backend, Held], ...] = ()
    as_ruled: bool = True
    """Whether they are those of the rules and lists on disk."""
    unread: str = ""
    """Why the kernel could not be read; empty if it was."""
    recorded: Ruleset | None = None
    """The newest recorded ruleset: what the kernel should hold. None if there is none."""

    @property
    def fences(self) -> tuple[Held, ...]:
        """Fences of the backends."""
        return tuple(fence for _, fence in self.held)


def read_fences(site: Site, desired: Ruleset) -> KernelFences:
    """Return what the kernel holds; a kernel that cannot be read is told, too.

    Args:
        site: the installation.
        desired: the ruleset of the rules and lists on disk.
    """
    try:
        recorded = tuple(_recorded(site))
        seen = tuple(_seen())
    except (BackendError, StateError) as error:
        return KernelFences(unread=str(error))
    known = (*recorded, desired)
    found = ((backend, held(observed, known, backend.rules)) for backend, observed in seen)
    return KernelFences(
        tuple((backend, fence) for backend, fence in found if fence),
        _is_as_ruled(seen, desired),
        recorded=recorded[0] if recorded else None,
    )


def _recorded(site: Site) -> Iterator[Ruleset]:
    for number in site.generations.numbers()[:_MOST_GENERATIONS]:
        found = site.generations.read(number)
        if not isinstance(found, Damaged):
            yield found.ruleset


def _seen() -> Iterator[tuple[Backend, Observed]]:
    """Yield what each backend sees in the kernel.

    Raises:
        BackendUnavailable: none can.
    """
    missing: list[BackendUnavailable] = []
    for name in registry.MODULES:
        backend = registry.load(name)
        try:
            yield backend, backend.observe()
        except BackendUnavailable as error:
            missing.append(error)
    if len(missing) == len(registry.MODULES):
        raise missing[0]


def _is_as_ruled(seen: Iterable[tuple[Backend, Observed]], desired: Ruleset) -> bool:
    """Whether one backend holds the ruleset, and no other backend anything."""
    holding = [(backend, observed) for backend, observed in seen if observed != Observed()]
    if len(holding) != 1:
        return False
    [(backend, observed)] = holding
    return make_plan(desired, observed, backend.rules(desired)).is_empty
