"""The sets in which each backend has who was turned away.

Apart from the registry, since a command that shows them needs neither rules nor prefixes, whose
modules take longer to import than 65,536 sources to read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.backends.interface import NotedSets


def noting(first: str | None) -> Iterator[NotedSets]:
    """Yield what reads the sets of each backend.

    Args:
        first: name of the backend that held the fence last, which comes first; None if unknown.
    """
    if first is not None:
        with suppress(ModuleNotFoundError):  # recorded by another version
            yield _load(first)
    from geofence.backends.registry import MODULES

    yield from (_load(name) for name in MODULES if name != first)


def _load(name: str) -> NotedSets:
    sets: NotedSets = import_module(f"geofence.backends.{name}").new_noting()
    return sets
