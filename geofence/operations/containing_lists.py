"""The lists that contain an address, with their age."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from geofence.merge import blocklist_space, exception_space, needed_lists
from geofence.model.address import Address
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace

EXCEPTION = "exception"
"""The kind of a named exception, beside those of ``ListKind``."""


@dataclass(frozen=True, slots=True)
class ContainingList:
    """A list that contains an address."""

    kind: str
    """``exception``, or that of a stored list."""
    name: str
    used: bool
    """Whether the rules use it."""
    checked_at: datetime | None = None
    """When its source last confirmed it, UTC; None for what has no source."""


def containing_lists(
    policy: Policy,
    lists: Mapping[ListId, AddressSpace],
    ages: Mapping[ListId, datetime],
    source: Address,
) -> tuple[ContainingList, ...]:
    """Return the exceptions, blocklists and other lists that contain an address.

    Args:
        policy: the rules.
        lists: every list at hand.
        ages: when the source of each last confirmed it.
        source: the address.
    """
    return (
        *_exceptions(policy, lists, ages, source),
        *_blocklists(policy, lists, ages, source),
        *_others(policy, lists, ages, source),
    )


def _exceptions(
    policy: Policy,
    lists: Mapping[ListId, AddressSpace],
    ages: Mapping[ListId, datetime],
    source: Address,
) -> Iterator[ContainingList]:
    for each in policy.exceptions:
        if source.is_in(exception_space(each, lists)):
            within = [name for name in each.lists if name in lists and source.is_in(lists[name])]
            ages_of = [ages[name] for name in within if name in ages]
            yield ContainingList(EXCEPTION, each.name, each.enabled, max(ages_of, default=None))


def _blocklists(
    policy: Policy,
    lists: Mapping[ListId, AddressSpace],
    ages: Mapping[ListId, datetime],
    source: Address,
) -> Iterator[ContainingList]:
    for each in policy.blocklists:
        if source.is_in(blocklist_space(each, lists)):
            stored = ListId(ListKind.BLOCKLIST, each.name)
            checked_at = ages.get(stored) if each.has_source else None
            yield ContainingList(ListKind.BLOCKLIST, each.name, each.enabled, checked_at)


def _others(
    policy: Policy,
    lists: Mapping[ListId, AddressSpace],
    ages: Mapping[ListId, datetime],
    source: Address,
) -> Iterator[ContainingList]:
    used = set(needed_lists(policy))
    for name, space in lists.items():
        if (
            name.kind not in (ListKind.BLOCKLIST, ListKind.FEED)
            and not name.kind.is_from_dns
            and source.is_in(space)
        ):
            yield ContainingList(name.kind, name.name, name in used, ages.get(name))
