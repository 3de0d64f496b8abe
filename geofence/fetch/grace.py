"""Addresses that dropped out of the answers of DNS, and for how long they stay allowed. Pure.

A pool of servers may give some of its addresses at a time, and calls go on with a server that is no
longer given. So an address stays for a time of grace, and answers that rotate become their union.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from geofence.fetch.dns import Resolution
from geofence.model.frozen import dataclass
from geofence.model.lists import MOST_ADDRESSES, DroppedAddress
from geofence.model.prefixes import Family


@dataclass(frozen=True, slots=True)
class Allowed:
    """The addresses that a name stands for after an answer."""

    addresses: tuple[str, ...]
    """IPv4 first, each family sorted as text."""
    dropped: tuple[DroppedAddress, ...] = ()
    """Those among them that the answer does not have."""


def settle(
    known: Mapping[str, datetime | None], answer: Resolution, now: datetime, grace: timedelta
) -> Allowed:
    """Return the addresses to allow after an answer.

    If they are more than one name may have, those of the answer come first, and of the others the
    one that was missing first is the first to go.

    Args:
        known: the addresses allowed until now, and since when answers lack them; None for those
            that the last answer had.
        answer: what DNS says now. A family of which it could not tell all stays as it was.
        now: when, UTC.
        grace: how long an address stays after the first answer without it.
    """
    current = set(answer.addresses)
    kept: list[str] = []
    dropped: dict[str, datetime] = {}
    for address, missing in known.items():
        if address in current:
            continue
        unsure = _family(address) in answer.unknown
        if missing is None and unsure:
            kept.append(address)
            continue
        since = min(missing or now, now)  # a clock that was set back must not prolong it
        if unsure or now - since < grace:
            dropped[address] = since
    latest = sorted(dropped, key=lambda address: (now - dropped[address], address))
    allowed = [*sorted(current), *sorted(kept), *latest][:MOST_ADDRESSES]
    return Allowed(
        tuple(sorted(allowed, key=lambda address: (_family(address) is Family.IPV6, address))),
        tuple(DroppedAddress(each, dropped[each]) for each in allowed if each in dropped),
    )


def _family(address: str) -> Family:
    return Family.IPV6 if ":" in address else Family.IPV4
