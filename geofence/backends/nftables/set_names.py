"""What a set is called in the kernel, or each of its parts, and what it holds."""

from __future__ import annotations

from geofence.backends.nftables.connection import Changed, NftConnection, Refused
from geofence.backends.nftables.kernel_sets import Key, LengthKey, whole_of
from geofence.backends.nftables.listing import Heads, listed_elements, read_sets
from geofence.errors import BackendError
from geofence.model.sets import SetKey
from geofence.translation import tr

_ATTEMPTS = 5


def names_of(netlink: NftConnection, key: SetKey, heads: Heads | None = None) -> dict[Key, str]:
    """Return what a set is called in the kernel, or its parts, of several what rules look into.

    Args:
        netlink: a connection.
        key: the set.
        heads: of all sets, if they have been listed already.
    """
    known = read_sets(netlink) if heads is None else heads
    found = [(each, name) for each, name in known if whole_of(each) == key]
    in_use: dict[Key, str] = dict(found)
    if len(in_use) < len(found) or any(isinstance(each, LengthKey) for each in in_use):
        in_use = _names_in_use(netlink)
    wanted = sorted((each for each in in_use if whole_of(each) == key), key=lambda each: each.name)
    return {each: in_use[each] for each in wanted}


def _names_in_use(netlink: NftConnection) -> dict[Key, str]:
    from geofence.backends.nftables.observe import in_force, sets_in_use
    from geofence.backends.nftables.snapshot import read_snapshot

    return sets_in_use(in_force(read_snapshot(netlink, elements=False)))


def pieces_of(netlink: NftConnection, name: str) -> list[bytes]:
    """Return the elements of one set; none without the set.

    Raises:
        BackendError: other programs changed it all the time.
    """
    for _ in range(_ATTEMPTS):
        try:
            return listed_elements(netlink, name)
        except Changed:
            continue
        except Refused:
            return []
    raise BackendError(
        tr('Other programs changed the set "{name}" all the time. Try again.', name=name)
    )
