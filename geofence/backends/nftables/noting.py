"""Noted sources in the table, read and forgotten without the rest of the backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from geofence.backends.nftables.connection import NftConnection, connected
from geofence.backends.nftables.kernel_sets import PartKey, whole_keys, whole_of
from geofence.backends.nftables.listing import Heads, read_sets
from geofence.backends.nftables.noted import decode_noted
from geofence.backends.nftables.set_names import names_of, pieces_of
from geofence.errors import GeofenceError
from geofence.model.elements import Noted
from geofence.model.sets import SetKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.model.plan import Count


class NftablesNoting:
    """The sets of the table that the kernel itself fills."""

    by_two = True
    """Whether a second thread reads half of the sources: somebody waits for them."""
    _heads: tuple[int, Heads] | None = None
    """What the sets were for, and their names, after the transaction of that number."""

    def heads(self, netlink: NftConnection) -> Heads:
        """Return what the table's sets are for, with their names; listed once a transaction."""
        generation = netlink.generation()
        if self._heads is None or self._heads[0] != generation:
            self._heads = (generation, read_sets(netlink))
        return self._heads[1]

    def keys(self) -> frozenset[SetKey]:
        """Return which of geofence's sets the kernel holds."""
        with connected() as netlink:
            netlink.generation()  # tells what is missing where it is not just the table
            keys = [key for key, _ in read_sets(netlink)]
        own = {whole_of(key) for key in keys if not isinstance(key, PartKey)}
        return frozenset(key for key in own | whole_keys(keys) if key is not None)

    def noted(self, key: SetKey, *, times: bool = True) -> Noted:
        """Return the sources in a set that the kernel fills."""
        with connected() as netlink:
            names = list(names_of(netlink, key, self.heads(netlink)).values())
            return read_noted(netlink, key, names, times=times, by_two=self.by_two)

    def forget(self, key: SetKey, networks: Sequence[int] | None = None) -> None:
        """Take sources out of a set that the kernel fills."""
        from geofence.backends.nftables.runtime import forget_noted

        with connected() as netlink:
            forget_noted(netlink, key, networks)

    def dropped(self) -> Mapping[str, Count]:
        """Return what the services' counters say."""
        from geofence.backends.nftables.snapshot import read_counters

        with connected() as netlink:
            return read_counters(netlink)


def read_noted(
    netlink: NftConnection,
    key: SetKey,
    names: Sequence[str],
    *,
    times: bool = True,
    by_two: bool = False,
) -> Noted:
    """Return the sources in the parts of a set that the kernel fills.

    Args:
        netlink: a connection.
        key: the set.
        names: of its parts in the kernel.
        times: whether to tell how long each stays.
        by_two: whether a second thread reads half of them.
    """
    found = _read_by_two(netlink, names) if by_two else [pieces_of(netlink, n) for n in names]
    parts = [decode_noted(key.family, pieces, times=times) for pieces in found]
    return Noted.joined(parts)._replace(parts=tuple(part.number for part in parts))


def _read_by_two(netlink: NftConnection, names: Sequence[str]) -> list[list[bytes]]:
    """Return the elements of sets; two threads read, as nearly all the time is the kernel's.

    What the other one could not read, this one does, or says why it cannot.
    """
    found: dict[str, list[bytes]] = {}

    def read_half() -> None:
        with suppress(GeofenceError, MemoryError), connected() as other:
            for name in names[1::2]:
                found[name] = pieces_of(other, name)

    from threading import Thread

    helper = Thread(target=read_half)
    with suppress(RuntimeError):  # no room for another thread
        helper.start()
        found.update((name, pieces_of(netlink, name)) for name in names[::2])
        helper.join()
    return [found[name] if name in found else pieces_of(netlink, name) for name in names]
