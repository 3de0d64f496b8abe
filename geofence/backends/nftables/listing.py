"""Objects of the table as the kernel lists them, one kind at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from geofence.backends.nftables import uapi
from geofence.backends.nftables.connection import Attempts, Changed, NftConnection, Refused
from geofence.backends.nftables.kernel_sets import KernelSet, Key, key_of
from geofence.backends.nftables.traces import TABLE
from geofence.backends.nftables.uapi import Message
from geofence.errors import BackendError
from geofence.netlink.attributes import as_number, as_string, string, values
from geofence.translation import tr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    _T = TypeVar("_T")

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


def _set(found: Mapping[int, bytes]) -> KernelSet:
    return KernelSet(
        as_string(found.get(uapi.SetAttribute.NAME)),
        as_number(found.get(uapi.SetAttribute.FLAGS)),
        as_number(found.get(uapi.SetAttribute.KEY_TYPE)),
        as_number(found.get(uapi.SetAttribute.KEY_LEN)),
    )
