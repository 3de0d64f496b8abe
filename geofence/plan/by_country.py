"""What a plan changes for countries and AS numbers: addresses that become allowed or blocked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from geofence.model.plan import SetChange
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.model.ruleset import Role

ELSEWHERE = ""
"""Stands for addresses that are in no country list at hand."""


class CountryChange(NamedTuple):
    """What changes for the addresses of one country or AS number."""

    country: str
    """Its code, or ``ELSEWHERE``, also for an AS number."""
    allowed: AddressSpace
    """Addresses that come to be allowed to some service."""
    blocked: AddressSpace
    """Addresses that some service no longer allows."""
    asn: str = ""
    """The AS number in decimal; empty for a country. Its addresses may be in countries, too."""


def by_country(
    changes: Iterable[SetChange],
    countries: Mapping[str, AddressSpace],
    asns: Mapping[str, AddressSpace] | None = None,
) -> tuple[CountryChange, ...]:
    """Return what changes for each country and AS number, in the order given, then the rest.

    Args:
        changes: of sets; those of exceptions are left out, since exceptions name no country.
        countries: the list of each country that is at hand, with what it held before.
        asns: the list of each AS number, likewise.
    """
    known = [change for change in changes if change.key.role is Role.ALLOW]
    allowed = _union((change.key.family, change.added) for change in known)
    blocked = _union((change.key.family, change.removed) for change in known)
    found = [
        CountryChange(code, _common(allowed, space), _common(blocked, space))
        for code, space in countries.items()
    ]
    networks = asns or {}
    found += [
        CountryChange(ELSEWHERE, _common(allowed, space), _common(blocked, space), number)
        for number, space in networks.items()
    ]
    everywhere = AddressSpace.union((*countries.values(), *networks.values()))
    found.append(CountryChange(ELSEWHERE, allowed - everywhere, blocked - everywhere))
    return tuple(each for each in found if each.allowed or each.blocked)


def _union(parts: Iterable[tuple[Family, PrefixSet]]) -> AddressSpace:
    known = tuple(parts)
    return AddressSpace(
        *(
            PrefixSet.union(family, (part for at, part in known if at is family))
            for family in Family
        )
    )


def _common(one: AddressSpace, other: AddressSpace) -> AddressSpace:
    return AddressSpace(one.ipv4 & other.ipv4, one.ipv6 & other.ipv6)
