"""What of a backend tells who was turned away.

Apart from the rest, since a command that shows it needs neither rules nor prefixes, whose modules
take longer to import than 65,536 sources to read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from geofence.model.elements import Noted
    from geofence.model.plan import Count
    from geofence.model.sets import SetKey


class NotedSets(Protocol):
    """The sets that the kernel itself fills, and what was dropped."""

    def keys(self) -> frozenset[SetKey]:
        """Return which of geofence's sets the kernel holds.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel's answer could not be had or understood.
        """
        ...

    def noted(self, key: SetKey, *, times: bool = True) -> Noted:
        """Return the sources in a set that the kernel fills, in no order; none without the set.

        Args:
            key: the set.
            times: whether to tell how long each stays, which takes time.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel's answer could not be had or understood.
        """
        ...

    def forget(self, key: SetKey, networks: Sequence[int] | None = None) -> None:
        """Take sources out of a set that the kernel fills; those that are not there are no matter.

        Args:
            key: the set.
            networks: the first address of each; None: all.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel refused.
        """
        ...

    def dropped(self) -> Mapping[str, Count]:
        """Return what ``observe`` tells of dropped packets, without reading the rest.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel's answer could not be had or understood.
        """
        ...


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
    return cast("NotedSets", import_module(f"geofence.backends.{name}").new_noting())
