"""Runtime sets of the table: elements read, added and removed, without the rest of the fence."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from geofence.backends.nftables import messages, timed
from geofence.backends.nftables.connection import BatchMessage, NftConnection
from geofence.backends.nftables.kernel_sets import Key, LengthKey, PartKey
from geofence.backends.nftables.listing import Heads
from geofence.backends.nftables.noted import decode_noted
from geofence.backends.nftables.set_names import names_of, pieces_of
from geofence.backends.nftables.snapshot import has_element
from geofence.errors import BackendError
from geofence.model.elements import (
    FOR_EVER,
    LONGEST,
    Element,
    Noted,
    Span,
    TimedPrefix,
    difference,
    disjoint,
)
from geofence.model.prefixes import Prefix
from geofence.model.ruleset import NOTED_BITS, NOTED_ROLES, SetKey
from geofence.translation import tr

_ATTEMPTS = 5
_SOON = 5
"""Seconds: what times out so soon is not removed. If it has, the kernel refuses the rest, too."""


def read_elements(netlink: NftConnection, key: SetKey, heads: Heads | None = None) -> list[Element]:
    """Return the elements of a set; none without the set."""
    found = names_of(netlink, key, heads)
    if key.role in NOTED_ROLES:
        size = 1 << (key.family.bits - NOTED_BITS[key.family])
        parts = [decode_noted(key.family, pieces_of(netlink, name)) for name in found.values()]
        return Noted.joined(parts).elements(size)
    return [each for part, name in found.items() for each in _elements(netlink, part, name)]


def _elements(netlink: NftConnection, key: Key, name: str) -> list[Element]:
    if not isinstance(key, LengthKey):
        return timed.decode(key.family, pieces_of(netlink, name))
    held = decode_noted(key.family, pieces_of(netlink, name))
    return held.elements(1 << (key.family.bits - key.length))


def test_element(netlink: NftConnection, key: SetKey, address: int) -> bool:
    """Whether the kernel finds an address in a set; false without the set."""
    found = names_of(netlink, key).items()
    return any(
        has_element(netlink, name, key.family, _asked(each, address)) for each, name in found
    )


def _asked(key: Key, address: int) -> int:
    """Return the key in the kernel's set that an address is found by."""
    bits = key.family.bits
    match key:
        case LengthKey(_, length):
            bits = length
        case PartKey():
            bits = NOTED_BITS[key.family]
    rest = key.family.bits - bits
    return address >> rest << rest


def forget_noted(netlink: NftConnection, key: SetKey, networks: Sequence[int] | None) -> None:
    """Take sources out of a set that the kernel fills.

    Raises:
        BackendError: other programs changed it all the time.
    """
    unwanted = None if networks is None else set(networks)
    for attempt in range(_ATTEMPTS):
        names = names_of(netlink, key).values()
        gone = [each for name in names for each in _forgetting(netlink, key, name, unwanted)]
        try:
            _exchange(netlink, gone)
        except BackendError:  # one timed out, or another run was faster
            if attempt + 1 == _ATTEMPTS:
                raise
        else:
            return


def _forgetting(
    netlink: NftConnection, key: SetKey, name: str, unwanted: Collection[int] | None
) -> list[BatchMessage]:
    if unwanted is None:
        return [messages.flush_set(name)]
    held = decode_noted(key.family, pieces_of(netlink, name))
    gone = [
        network
        for network, seconds in zip(held.networks, held.seconds, strict=True)
        if network in unwanted and not 0 < seconds < _SOON
    ]
    return messages.change_elements(name, (), timed.encode_networks(key.family, gone))


def put_elements(
    netlink: NftConnection,
    key: SetKey,
    added: Sequence[TimedPrefix],
    removed: Sequence[Prefix],
    now: float,
) -> None:
    """Remove prefixes that are elements as they are, and add others, in one transaction.

    Raises:
        BackendError: a prefix to be removed is no element, one to be added overlaps another, or
            there is no such set; nothing is changed.
    """
    name = _name(netlink, key)
    if name is None:
        raise _missing(key)
    gone = [Element(each.network, each.past, None) for each in removed if each.family is key.family]
    new = timed.encode(key.family, _limited(disjoint(added, key.family), now), now)
    _transact(
        netlink,
        messages.change_elements(name, new, timed.encode_removal(key.family, gone)),
    )


def hold_elements(
    netlink: NftConnection, key: SetKey, wanted: Sequence[TimedPrefix], now: float
) -> int:
    """Make a set hold these prefixes and no others; return how many elements were touched.

    Raises:
        BackendError: there is no such set, or other programs changed it all the time.
    """
    spans = disjoint(wanted, key.family)
    for attempt in range(_ATTEMPTS):
        name = _name(netlink, key)
        if name is None:
            raise _missing(key)
        added, removed = difference(spans, _read(netlink, key, name), now)
        gone = timed.encode_removal(key.family, removed)
        new = timed.encode(key.family, _limited(added, now), now)
        try:
            _exchange(netlink, messages.change_elements(name, new, gone))
        except BackendError:  # one timed out, or another run was faster
            if attempt + 1 == _ATTEMPTS:
                raise
        else:
            return len(added) + len(removed)
    return 0


def _exchange(netlink: NftConnection, whole: list[BatchMessage]) -> None:
    """Change a set in one transaction, or in several where the socket takes no more at once."""
    if not whole or netlink.room_for(whole):
        _transact(netlink, whole)
        return
    for each in whole:
        _transact(netlink, [each])


def _limited(spans: Sequence[Span], now: float) -> list[Span]:
    """Return spans that end when the kernels' longest time-out is over, at the latest."""
    return [
        span if span.until == FOR_EVER else span._replace(until=min(span.until, now + LONGEST))
        for span in spans
    ]


def _transact(netlink: NftConnection, batch: list[BatchMessage]) -> None:
    if batch:
        netlink.transact(batch)


def _read(netlink: NftConnection, key: SetKey, name: str) -> list[Element]:
    return timed.decode(key.family, pieces_of(netlink, name))


def _name(netlink: NftConnection, key: SetKey) -> str | None:
    return next(iter(names_of(netlink, key).values()), None)


def _missing(key: SetKey) -> BackendError:
    return BackendError(
        tr(
            "The fence has no set \"{name}\". Run 'geofence apply'; an older version may have made "
            "the fence.",
            name=key.name,
        )
    )
