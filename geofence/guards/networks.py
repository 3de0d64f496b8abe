"""The guards of AS numbers and feeds whose lists are larger than any network. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from geofence.guards.limits import ASN_MOST, FEED_MOST
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
    if candidate.size > most:
        yield _too_many(
            guard,
            wanted,
            candidate,
            tr(
                "No autonomous system has more than {limit}; more would allow nearly everybody.",
                limit=address_count(family, most),
            ),
        )


def beyond_any_provider(guard: Guard, wanted: ListId, candidate: PrefixSet) -> Iterator[Objection]:
    """Yield the objection to a feed that has more addresses than any provider of trunks.

    Args:
        guard: in whose name it objects.
        wanted: the list.
        candidate: its addresses of one family.
    """
    family, most = candidate.family, FEED_MOST[candidate.family]
    if candidate.size > most:
        yield _too_many(
            guard,
            wanted,
            candidate,
            tr(
                "No provider of trunks has more than {limit}.",
                limit=address_count(family, most),
            ),
        )


def _too_many(guard: Guard, wanted: ListId, candidate: PrefixSet, allows: str) -> Objection:
    return Objection(
        guard,
        str(wanted),
        tr(
            "The list {list} has {addresses}.",
            list=wanted,
            addresses=address_count(candidate.family, candidate.size),
        ),
        allows,
        f"{guard}={wanted.name}",
    )
