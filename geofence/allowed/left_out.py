"""Addresses of blocklists that are not blocked all the same, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from geofence.geoip.special_prefixes import special_space
from geofence.merge import downloaded, exception_space
from geofence.model.frozen import dataclass
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace


class WhyLeftOut(StrEnum):
    """Why addresses of a blocklist are not blocked."""

    SPECIAL = "special-purpose"
    """They are private, multicast or otherwise not public."""
    LOCAL = "local"
    """They are in networks of ``[local]``."""
    EXCEPTION = "exception"
    """Exceptions allow them."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Addresses of one blocklist that are not blocked."""

    list: ListId
    why: WhyLeftOut
    space: AddressSpace


def excepted(policy: Policy, lists: Mapping[ListId, AddressSpace]) -> AddressSpace:
    """Return the addresses of all enabled exceptions without an end, for any service."""
    lasting = (each for each in policy.enabled_exceptions() if each.until is None)
    return AddressSpace.union(exception_space(each, lists) for each in lasting)


def spared(policy: Policy, lists: Mapping[ListId, AddressSpace]) -> AddressSpace:
    """Return what blocklists do not block by the rules: exceptions and local networks."""
    return excepted(policy, lists) | policy.local_space


def left_out(policy: Policy, lists: Mapping[ListId, AddressSpace]) -> Iterator[LeftOut]:
    """Yield the addresses of each enabled blocklist's list that are not blocked.

    Each address counts for one reason, the first of ``WhyLeftOut``.
    """
    whole = (
        (WhyLeftOut.SPECIAL, special_space()),
        (WhyLeftOut.LOCAL, policy.local_space),
        (WhyLeftOut.EXCEPTION, excepted(policy, lists)),
    )
    for blocklist in policy.enabled_blocklists():
        rest = downloaded(blocklist, lists)
        name = ListId(ListKind.BLOCKLIST, blocklist.name)
        for why, space in whole:
            if rest.meets(space):
                yield LeftOut(name, why, rest & space)
                rest -= space
