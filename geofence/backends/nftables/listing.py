"""Objects of the table as the kernel lists them, one kind at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from geofence.backends.nftables import uapi
from geofence.backends.nftables.connection import Attempts, Changed, NftConnection, Refused
from geofence.backends.nftables.kernel_sets import KernelSet, Key, LengthKey, key_of, whole_of
from geofence.backends.nftables.traces import TABLE
from geofence.backends.nftables.uapi import Message
from geofence.errors import BackendError
from geofence.model.sets import SetKey
from geofence.netlink.attributes import as_number, as_string, string, values
from geofence.translation import tr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    _T = TypeVar("_T")
_ATTEMPTS = 5

Heads = list[tuple[Key, str]]
"""What sets are for, with their names."""


def listed(netlink: NftConnection, kind: int, of_table: int) -> Iterator[dict[int, bytes]]:
    """Yield the table's objects of one kind; some kernels list those of all tables.

    Raises:
        Changed: they changed meanwhile.
        Refused: there is no table.
    """
    for data in netlink.dump(kind, string(of_table, TABLE)):
        found = values(data)
        if as_string(found.get(of_table)) == TABLE:
            yield found


def listed_sets(netlink: NftConnection) -> tuple[KernelSet, ...]:
    """Return the heads of the table's sets.

    Raises:
        Changed: they changed meanwhile.
        Refused: there is no table.
    """
    return tuple(map(_set, listed(netlink, Message.GETSET, uapi.SetAttribute.TABLE)))


def listed_elements(netlink: NftConnection, name: str) -> list[bytes]:
    """Return the elements of one set.

    Raises:
        Changed: they changed meanwhile.
        Refused: there is no such set.
    """
    asked = string(uapi.ElementListAttribute.TABLE, TABLE) + string(
        uapi.ElementListAttribute.SET, name
    )
    found = map(values, netlink.dump(Message.GETSETELEM, asked))
    return [part.get(uapi.ElementListAttribute.ELEMENTS, b"") for part in found]


def read_sets(netlink: NftConnection) -> Heads:
    """Return what the table's sets are for, with their names.

    Raises:
        BackendError: other programs never left time to read them.
    """
    found = until_unchanged(lambda: listed_sets(netlink))
    return [(key, each.name) for each in found or () if (key := key_of(each)) is not None]


def until_unchanged(read: Callable[[], _T]) -> _T | None:
    """Read until nothing changes meanwhile; None if there is no table.

    Raises:
        BackendError: other programs never left time to read it.
    """
    attempts = Attempts()
    while True:
        try:
            return read()
        except Changed:
            if not attempts.wait():
                break
        except Refused:  # there is no table
            return None
    raise BackendError(tr("Other programs changed nftables all the time. Try again."))


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


def _set(found: Mapping[int, bytes]) -> KernelSet:
    return KernelSet(
        as_string(found.get(uapi.SetAttribute.NAME)),
        as_number(found.get(uapi.SetAttribute.FLAGS)),
        as_number(found.get(uapi.SetAttribute.KEY_TYPE)),
        as_number(found.get(uapi.SetAttribute.KEY_LEN)),
    )
