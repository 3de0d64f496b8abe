"""What is allowed until a time: the prefixes of runtime sets, and when each ends. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from geofence.merge import blocked, country_space, exception_space
from geofence.model.elements import TimedPrefix
from geofence.model.lists import ListId
from geofence.model.policy import Policy, Service, has_ended
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.ruleset import Role, SetKey


def timed_prefixes(
    policy: Policy, lists: Mapping[ListId, AddressSpace], now: datetime
) -> Mapping[SetKey, tuple[TimedPrefix, ...]]:
    """Return what is allowed until a time, for each service and family; perhaps nothing.

    The prefixes of a set do not overlap. An address that is allowed twice has the later end.

    Args:
        policy: the rules.
        lists: accepted lists; host names that were never resolved may be missing.
        now: what has ended by now is left out.

    Raises:
        MissingListError: the list of a country is not in ``lists``.
    """
    found: dict[SetKey, tuple[TimedPrefix, ...]] = {}
    for service in policy.services:
        allowed = by_end(policy, service, lists, now)
        for family in Family:
            found[SetKey(Role.TIMED, service.name, family)] = tuple(
                TimedPrefix(prefix, until.timestamp())
                for until, space in allowed.items()
                for prefix in space[family].prefixes()
            )
    return found


def by_end(
    policy: Policy, service: Service, lists: Mapping[ListId, AddressSpace], now: datetime
) -> Mapping[datetime, AddressSpace]:
    """Return what may reach a service until a time, by that time, the latest first; disjoint."""
    ends: dict[datetime, list[AddressSpace]] = {}
    for until, space in _timed(policy, service, lists):
        if not has_ended(until, now):
            ends.setdefault(until, []).append(space)
    found: dict[datetime, AddressSpace] = {}
    later = AddressSpace()
    for until in sorted(ends, reverse=True):
        space = AddressSpace.union(ends[until])
        found[until] = space - later
        later |= space
    return found


def _timed(
    policy: Policy, service: Service, lists: Mapping[ListId, AddressSpace]
) -> Iterator[tuple[datetime, AddressSpace]]:
    for exception in policy.enabled_exceptions():
        if exception.until and exception.opens(service.name):
            yield exception.until, exception_space(exception, lists)
    countries = [each for each in policy.timed_countries() if each.concerns(service.name)]
    denied = blocked(policy, lists) if countries else AddressSpace()
    for country in countries:
        if country.until:
            yield country.until, country_space(country.code, lists) - denied
