"""What stored lists, the world index and the rules tell of strangers' addresses."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from geofence.denied.sources import Knowledge, index_of
from geofence.errors import GeofenceError, StateError
from geofence.geoip.atlas import Atlas
from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import AddressSpace
from geofence.operations.site import Site
from geofence.state.atlas import open_atlas

if TYPE_CHECKING:
    from geofence.model.lists import ListId
    from geofence.model.notes import Note
    from geofence.model.policy import Policy


class Known(NamedTuple):
    """All that is known, with what could not be read."""

    knowledge: Knowledge = Knowledge()
    groups: Mapping[str, str] = MappingProxyType({})
    """By the name of an exception: the group that it is in."""
    together: Mapping[str, str] = MappingProxyType({})
    """By the name of an exception: the group by which it is allowed with what belongs to it."""
    notes: tuple[Note, ...] = ()


def known_countries(site: Site) -> Known:
    """Return which country has an address, by the world index or else by the stored lists."""
    notes: tuple[Note, ...] = ()
    try:
        atlas = open_atlas(site.state_directory)
    except StateError as error:
        atlas, notes = None, (_problem(error),)
    if atlas is None:
        from geofence.model.lists import ListKind

        atlas = index_of(
            {
                each.name: space
                for each, space in _stored(site, countries=True).items()
                if each.kind is ListKind.COUNTRY
            }
        )
    return Known(Knowledge(atlas), notes=notes)


def known_all(site: Site, rules: Policy | None = None) -> Known:
    """Return that, and which other lists and exceptions have an address.

    Rules that do not load are a note: the kernel has noted sources all the same.

    Args:
        site: the installation.
        rules: those of the site, if they have been loaded already.
    """
    found = known_countries(site)
    try:
        policy, lists = rules or site.policy(), _stored(site, countries=False)
    except GeofenceError as error:
        return Known(found.knowledge, notes=(*found.notes, _problem(error)))
    names = index_of(_named(policy, lists))
    knowledge = Knowledge(found.knowledge.countries, names, _offered(policy, lists))
    groups = {each.name: each.group for each in policy.exceptions if each.group}
    return Known(knowledge, groups, _together(policy), found.notes)


def _together(policy: Policy) -> dict[str, str]:
    from geofence.allowed.catalog import allowed_by_group

    known = ((each.name, allowed_by_group(each, policy.exceptions)) for each in policy.exceptions)
    return {name: group for name, group in known if group}


def _problem(error: GeofenceError) -> Note:
    from geofence.model.notes import problem

    return problem(error)


def _stored(site: Site, *, countries: bool) -> Mapping[ListId, AddressSpace]:
    """Return the stored lists: those of countries, or all others; what is damaged is left out."""
    from geofence.model.lists import ListKind

    kinds = [each for each in ListKind if (each is ListKind.COUNTRY) is countries]
    found, _ = site.lists.load_all(site.lists.ids(kinds))
    return {name: accepted.space for name, accepted in found.items()}


def _named(policy: Policy, lists: Mapping[ListId, AddressSpace]) -> dict[str, AddressSpace]:
    """Return the addresses of all lists but those of countries, by what people call them."""
    from geofence.merge import blocklist_space, exception_space
    from geofence.model.lists import ListKind

    asns = {f"AS{each.name}": space for each, space in lists.items() if each.kind is ListKind.ASN}
    blocklists = {each.name: blocklist_space(each, lists) for each in policy.blocklists}
    exceptions = {each.name: exception_space(each, lists) for each in policy.exceptions}
    return {**exceptions, **asns, **blocklists}


def _offered(policy: Policy, lists: Mapping[ListId, AddressSpace]) -> dict[str, Atlas]:
    """Return the disabled exceptions that would open each service."""
    from geofence.merge import exception_space

    disabled = [
        (each, exception_space(each, lists)) for each in policy.exceptions if not each.enabled
    ]
    found: dict[str, Atlas] = {}
    for service in policy.services:
        spaces = {each.name: space for each, space in disabled if each.opens(service.name)}
        index = index_of(spaces)
        if index is not None:
            found[service.name] = index
    return found
