"""Policy and lists in, ruleset out: union of what is meant, less the blocklists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from geofence.errors import MissingListError
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Blocklist, NamedException, Policy, RepliesFrom, Service
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.model.ruleset import FencedService, Role, Ruleset, SetKey
from geofence.routing.local_networks import Place, local_networks


def needed_lists(policy: Policy) -> tuple[ListId, ...]:
    """The lists that the policy's enabled rules draw on, each once, countries first."""
    countries = [code for service in policy.services for code in policy.service_countries(service)]
    blocklists = [blocklist.name for blocklist in policy.enabled_blocklists() if blocklist.urls]
    hosts = [host for exception in policy.enabled_exceptions() for host in exception.hosts]
    named = (
        *(ListId(ListKind.COUNTRY, code) for code in countries),
        *(ListId(ListKind.BLOCKLIST, name) for name in blocklists),
        *(ListId(ListKind.HOST, host) for host in hosts),
    )
    return tuple(dict.fromkeys(named))


def exception_space(
    exception: NamedException, lists: Mapping[ListId, AddressSpace]
) -> AddressSpace:
    """The addresses of an exception: its prefixes, and what its host names stand for.

    Those last known stand in for as long as one of the names was never resolved.
    """
    hosts = [ListId(ListKind.HOST, host) for host in exception.hosts]
    resolved = [lists[host] for host in hosts if host in lists]
    stand_in = exception.last_known if len(resolved) < len(hosts) else AddressSpace()
    told = AddressSpace.union(resolved)
    allowed = told & exception.within if exception.within else told
    return AddressSpace.union((exception.prefixes, stand_in, allowed))


def blocklist_space(blocklist: Blocklist, lists: Mapping[ListId, AddressSpace]) -> AddressSpace:
    """The addresses of a blocklist: its prefixes, and the fetched list if it still has a source."""
    fetched = lists.get(ListId(ListKind.BLOCKLIST, blocklist.name)) if blocklist.urls else None
    return blocklist.prefixes | fetched if fetched else blocklist.prefixes


def merge(
    policy: Policy, lists: Mapping[ListId, AddressSpace], places: Iterable[Place] = ()
) -> Ruleset:
    """What the kernel should hold.

    Args:
        policy: the rules.
        lists: accepted lists; a host name that was never resolved may be missing, and a blocklist
            that was never accepted: it takes nothing away.
        places: networks that this host reaches, and by which interface; where none were observed,
            local networks are those that the rules name with an interface.

    Raises:
        MissingListError: a country list is not in ``lists``.
    """
    denied = blocked(policy, lists)
    groups = _allow_groups(policy)
    sets: dict[SetKey, PrefixSet] = {}
    for countries, group in groups.items():
        allowed = AddressSpace.union(
            _country(lists, ListId(ListKind.COUNTRY, code)) for code in countries
        )
        _add(sets, Role.ALLOW, group, allowed - denied)
    for service in policy.services:
        _add(sets, Role.EXCEPTION, service.name, _let_in(policy, service, lists))
    services = tuple(
        FencedService(
            service.name,
            service.ports,
            groups[_country_set(policy, service)],
            service.helpers,
            service.replies_from is RepliesFrom.ANYONE,
        )
        for service in policy.services
    )
    return Ruleset(services, policy.interfaces, sets, local_networks(policy, places))


def closed(policy: Policy, places: Iterable[Place] = ()) -> Ruleset:
    """The ruleset that fences every service for all but exceptions and local networks."""
    services = tuple(replace(service, countries=()) for service in policy.services)
    return merge(replace(policy, services=services, countries=(), blocklists=()), {}, places)


def _add(sets: dict[SetKey, PrefixSet], role: Role, group: str, space: AddressSpace) -> None:
    for family in Family:
        sets[SetKey(role, group, family)] = space[family]


def _country_set(policy: Policy, service: Service) -> tuple[str, ...]:
    return tuple(sorted(set(policy.service_countries(service))))


def _allow_groups(policy: Policy) -> dict[tuple[str, ...], str]:
    """A group for each distinct set of countries: unnamed for that of ``[allow]``.

    The group of any other is called after the first service that has it, by name.
    """
    groups = {tuple(sorted(set(policy.countries))): ""}
    for service in sorted(policy.services, key=lambda service: service.name):
        groups.setdefault(_country_set(policy, service), service.name)
    used = {_country_set(policy, service) for service in policy.services}
    return {countries: group for countries, group in groups.items() if countries in used}


def _country(lists: Mapping[ListId, AddressSpace], wanted: ListId) -> AddressSpace:
    try:
        return lists[wanted]
    except KeyError:
        raise MissingListError(
            f"No version of the list {wanted} was ever accepted; "
            "run 'geofence refresh' where its source can be reached."
        ) from None


def blocked(policy: Policy, lists: Mapping[ListId, AddressSpace]) -> AddressSpace:
    """All that enabled blocklists deny."""
    return AddressSpace.union(
        blocklist_space(blocklist, lists) for blocklist in policy.enabled_blocklists()
    )


def _let_in(policy: Policy, service: Service, lists: Mapping[ListId, AddressSpace]) -> AddressSpace:
    opened = (
        exception_space(exception, lists)
        for exception in policy.enabled_exceptions()
        if exception.opens(service.name)
    )
    return AddressSpace.union(opened)
