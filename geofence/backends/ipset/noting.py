"""Noted sources in IP sets, read and forgotten without the rest of the backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from geofence.backends.ipset.sets import KernelSets, SetHeader
from geofence.backends.ipset.shapes import Key, set_key, set_name
from geofence.model.elements import Noted
from geofence.model.prefixes import Prefix
from geofence.model.sets import SetKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.model.plan import Count

SECOND = "+"
"""Ends the name of the set that is being filled to take another's place."""


class IpsetNoting:
    """The IP sets that the kernel itself fills."""

    def keys(self) -> frozenset[SetKey]:
        """Return which of geofence's sets the kernel holds."""
        with KernelSets() as sets:
            found = [key for header, key in own_sets(sets) if header.name == set_name(key)]
        return frozenset(key for key in found if isinstance(key, SetKey))

    def noted(self, key: SetKey, *, times: bool = True) -> Noted:
        """Return the sources in a set that the kernel fills."""
        with KernelSets() as sets:
            return sets.noted(set_name(key), key.family, times=times)

    def forget(self, key: SetKey, networks: Sequence[int] | None = None) -> None:
        """Take sources out of a set that the kernel fills."""
        family, name = key.family, set_name(key)
        with KernelSets() as sets:
            if networks is not None:
                # An address stands for its network, whose length is the set's.
                sets.take(name, family, [Prefix(family, each, family.bits) for each in networks])
            elif key in {held for _, held in own_sets(sets)}:
                sets.flush(name)

    def dropped(self) -> Mapping[str, Count]:
        """Return what the rules of both families have counted."""
        from geofence.backends.ipset.iptables import all_tools
        from geofence.backends.ipset.table import total

        return total(tool.save() for tool in all_tools())


def own_sets(sets: KernelSets) -> list[tuple[SetHeader, Key]]:
    """Return the headers of geofence's sets, second ones too, each with its key."""
    keyed = ((header, set_key(header.name.rstrip(SECOND))) for header in sets.headers())
    return [(header, key) for header, key in keyed if key is not None]
