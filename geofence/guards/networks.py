"""The guard of AS numbers whose lists are larger than any network. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from geofence.guards.limits import ASN_MOST
from geofence.guards.objection import Guard, Objection
from geofence.model.lists import ListId
from geofence.model.prefixes import PrefixSet
from geofence.translation import tr
from geofence.wording import address_count


def beyond_any_network(guard: Guard, wanted: ListId, candidate: PrefixSet) -> Iterator[Objection]:
    """Yield the objection to an AS number's list that no network can have.

    Args:
        guard: in whose name it objects.
        wanted: the list.
        candidate: its addresses of one family.
    """
    family, most = candidate.family, ASN_MOST[candidate.family]
    if candidate.size <= most:
        return
    yield Objection(
        guard,
        str(wanted),
        tr(
            "The list {list} has {addresses}.",
            list=wanted,
            addresses=address_count(family, candidate.size),
        ),
        tr(
            "No autonomous system has more than {limit}; more would allow nearly everybody.",
            limit=address_count(family, most),
        ),
        f"{guard}={wanted.name}",
    )
