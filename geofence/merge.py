"""Policy and lists in, ruleset out: the union of what is allowed, less the blocklists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from geofence.errors import MissingListError
from geofence.model.frozen import replace
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import (
    Allowed,
    Blocklist,
    NamedException,
    Policy,
    RepliesFrom,
    Service,
)
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.model.ruleset import FencedService, Role, Ruleset, SetKey
from geofence.routing.local_networks import Place, local_networks
from geofence.translation import tr


def needed_lists(policy: Policy) -> tuple[ListId, ...]:
    """Return the lists that the policy's enabled rules use, each once, those that allow first."""
    allowed = [name for service in policy.services for name in policy.allowed(service).lists]
    allowed += [ListId(ListKind.COUNTRY, each.code) for each in policy.timed_countries()]
    blocklists = [each.name for each in policy.enabled_blocklists() if each.has_source]
    of_exceptions = [name for each in policy.enabled_exceptions() for name in each.lists]
    named = (
        *(
            name
            for kind in (ListKind.COUNTRY, ListKind.ASN)
            for name in allowed
            if name.kind is kind
        ),
        *(ListId(ListKind.BLOCKLIST, name) for name in blocklists),
        *of_exceptions,
    )
    return tuple(dict.fromkeys(named))


def exception_space(
    exception: NamedException, lists: Mapping[ListId, AddressSpace]
) -> AddressSpace:
    """Return the addresses of an exception: its prefixes, and those of its names or its feed."""
    return exception.prefixes | listed_space(exception, lists)


def listed_space(exception: NamedException, lists: Mapping[ListId, AddressSpace]) -> AddressSpace:
    """Return the addresses of an exception's names in DNS, or of its feed.

    ``last_known`` is used as long as one of the names was never resolved, or the feed never
    accepted.
    """
    known = [lists[name] for name in exception.lists if name in lists]
    stand_in = exception.last_known if len(known) < len(exception.lists) else AddressSpace()
    current = AddressSpace.union(known)
    allowed = current & exception.within if exception.within else current
    return stand_in | allowed


def downloaded(blocklist: Blocklist, lists: Mapping[ListId, AddressSpace]) -> AddressSpace:
    """Return the addresses of a blocklist's list as it was downloaded; none without a source."""
    wanted = ListId(ListKind.BLOCKLIST, blocklist.name)
    return lists.get(wanted, AddressSpace()) if blocklist.has_source else AddressSpace()


def blocklist_space(blocklist: Blocklist, lists: Mapping[ListId, AddressSpace]) -> AddressSpace:
    """Return the addresses of a blocklist: its prefixes, and the public ones of its list.

    Downloaded lists may have private and other special-purpose space, as FireHOL's always have. It
    is left out. Prefixes in the rules are taken as they are.
    """
    found = downloaded(blocklist, lists)
    if not found:
        return blocklist.prefixes
    # Not at the top: restore at boot merges no list.
    from geofence.geoip.special_prefixes import special_space

    return blocklist.prefixes | found.without(special_space())


def merge(
    policy: Policy, lists: Mapping[ListId, AddressSpace], places: Iterable[Place] = ()
) -> Ruleset:
    """Return the desired ruleset.

    What has an end is not in it: see ``geofence.allowed.timed``.

    Args:
        policy: the rules.
        lists: accepted lists; host names that were never resolved may be missing, and so may
            blocklists that were never accepted: nothing is subtracted for them.
        places: networks that this host reaches, and through which interface; without any, local
            networks are those that the rules give with an interface.

    Raises:
        MissingListError: the list of a country or AS number is not in ``lists``.
    """
    denied = blocked(policy, lists)
    groups = _allow_groups(policy)
    sets: dict[SetKey, PrefixSet] = {}
    for names, group in groups.items():
        allowed = AddressSpace.union(_allowed(lists, name) for name in names)
        _add(sets, Role.ALLOW, group, allowed - denied)
    for service in policy.services:
        _add(sets, Role.EXCEPTION, service.name, _excepted(policy, service, lists))
    services = tuple(
        FencedService(
            service.name,
            service.ports,
            groups[_names(policy.allowed(service))],
            service.helpers,
            service.replies_from is RepliesFrom.ANYONE,
            service.observe,
        )
        for service in policy.services
    )
    return Ruleset(services, policy.interfaces, sets, local_networks(policy, places))


def closed(policy: Policy, places: Iterable[Place] = ()) -> Ruleset:
    """Return the ruleset that allows only exceptions and local networks to every service."""
    services = tuple(replace(service, countries=(), asns=()) for service in policy.services)
    nobody = replace(
        policy, services=services, countries=(), asns=(), country_switches=(), blocklists=()
    )
    return merge(nobody, {}, places)


def _add(sets: dict[SetKey, PrefixSet], role: Role, group: str, space: AddressSpace) -> None:
    for family in Family:
        sets[SetKey(role, group, family)] = space[family]


def _names(allowed: Allowed) -> tuple[ListId, ...]:
    return tuple(sorted(allowed.lists))


def _allow_groups(policy: Policy) -> dict[tuple[ListId, ...], str]:
    """Return a group for each distinct set of lists that are allowed: unnamed for ``[allow]``.

    Any other group has the name of the first service with these lists, by name.
    """
    groups = {_names(policy.shared()): ""}
    for service in sorted(policy.services, key=lambda service: service.name):
        groups.setdefault(_names(policy.allowed(service)), service.name)
    used = {_names(policy.allowed(service)) for service in policy.services}
    return {names: group for names, group in groups.items() if names in used}


def country_space(code: str, lists: Mapping[ListId, AddressSpace]) -> AddressSpace:
    """Return the addresses of a country.

    Raises:
        MissingListError: its list is not in ``lists``.
    """
    return _allowed(lists, ListId(ListKind.COUNTRY, code))


def _allowed(lists: Mapping[ListId, AddressSpace], wanted: ListId) -> AddressSpace:
    try:
        return lists[wanted]
    except KeyError:
        raise MissingListError(
            tr(
                "The list {list} has not been downloaded yet; run 'geofence refresh' with Internet "
                "access.",
                list=wanted,
            )
        ) from None


def blocked(policy: Policy, lists: Mapping[ListId, AddressSpace]) -> AddressSpace:
    """Return what the enabled blocklists block: no local network that is in a downloaded list.

    Addresses of exceptions stay in it. Exceptions are allowed before blocklists block, and one may
    be for some services only, or end by itself.
    """
    enabled = policy.enabled_blocklists()
    found = AddressSpace.union(blocklist_space(each, lists) for each in enabled)
    written = AddressSpace.union(each.prefixes for each in enabled)
    return found.without(policy.local_space.without(written))


def _excepted(
    policy: Policy, service: Service, lists: Mapping[ListId, AddressSpace]
) -> AddressSpace:
    opened = (
        exception_space(exception, lists)
        for exception in policy.enabled_exceptions()
        if exception.opens(service.name) and exception.until is None
    )
    return AddressSpace.union(opened)
