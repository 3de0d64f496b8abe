"""The guards of rules that would allow nearly everybody, or nobody. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from geofence.geoip.special_prefixes import special_space
from geofence.guards.objection import Guard, Objection
from geofence.merge import exception_space
from geofence.model.lists import ListId
from geofence.model.policy import NamedException, Policy, Service
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.model.ruleset import FencedService, Role, Ruleset, SetKey
from geofence.routing.local_networks import BROADEST
from geofence.translation import tr
from geofence.wording import address_count

MOST_EXCEPTED = {Family.IPV4: 1 << 24, Family.IPV6: 1 << (128 - 20)}
"""Public addresses that exceptions may newly allow: a /8, or an IPv6 /20, which only registries
have."""


def check_rules(before: Ruleset | None, after: Ruleset) -> tuple[Objection, ...]:
    """Return the objections to a ruleset, whatever its lists contain.

    What was so before is intended.

    Args:
        before: the ruleset in the kernel; None for no fence.
        after: the planned one.
    """
    return (*_open(before, after), *_shut_out(before, after))


def check_timed(
    before: Policy, after: Policy, lists: Mapping[ListId, AddressSpace]
) -> tuple[Objection, ...]:
    """Return the objections to exceptions that have an end, which no ruleset declares.

    Args:
        before: the rules before the change; what they allow is intended.
        after: those that are planned.
        lists: those of host names that are known.
    """
    for service in after.services:
        held = _all_excepted(before.enabled_exceptions(), service, lists)
        timed = (each for each in after.enabled_exceptions() if each.until)
        gained = _all_excepted(timed, service, lists) - held - special_space()
        for family in Family:
            if gained[family].size > MOST_EXCEPTED[family]:
                return (_too_many_excepted(service.name, gained[family]),)
    return ()


def _all_excepted(
    exceptions: Iterable[NamedException], service: Service, lists: Mapping[ListId, AddressSpace]
) -> AddressSpace:
    return AddressSpace.union(
        exception_space(each, lists) for each in exceptions if each.opens(service.name)
    )


def _open(before: Ruleset | None, after: Ruleset) -> Iterator[Objection]:
    for service in after.services:
        for family in Family:
            gained = _excepted(after, service, family) - _excepted(before, service, family)
            if gained.size > MOST_EXCEPTED[family]:
                yield _too_many_excepted(service.name, gained)
                return
    for network in after.local:
        known = before.local if before else ()
        if network.prefix.length < BROADEST[network.prefix.family] and network not in known:
            yield Objection(
                Guard.OPEN,
                str(network),
                tr("The local network {network} would be trusted.", network=network),
                tr("No private network is so large; this would allow nearly everybody."),
                str(Guard.OPEN),
                tr("Write the networks that you mean."),
            )
            return


def _too_many_excepted(service: str, gained: PrefixSet) -> Objection:
    family = gained.family
    return _objection(
        Guard.OPEN,
        service,
        tr(
            "Exceptions would newly allow {addresses} to reach the service {service}.",
            addresses=address_count(family, gained.size),
            service=service,
        ),
        tr(
            "They may add {addresses} at once; more would allow nearly everybody.",
            addresses=address_count(family, MOST_EXCEPTED[family]),
        ),
        tr("Write the prefixes that you mean."),
    )


def _excepted(ruleset: Ruleset | None, service: FencedService, family: Family) -> PrefixSet:
    """Return the public addresses that exceptions allow to reach a service."""
    key = SetKey(Role.EXCEPTION, service.name, family)
    held = ruleset.sets.get(key) if ruleset else None
    return held - special_space()[family] if held else PrefixSet(family)


def _shut_out(before: Ruleset | None, after: Ruleset) -> Iterator[Objection]:
    for service in after.services:
        if _allows(after, service) or (before and not _allowed(before, service)):
            continue
        yield _objection(
            Guard.SHUT_OUT,
            service.name,
            tr("No country would be allowed to reach the service {service}.", service=service.name),
            tr("Only exceptions and local networks would be allowed."),
            tr("Add countries to [allow]."),
        )
        return


def _allowed(ruleset: Ruleset, service: FencedService) -> bool:
    """Whether a ruleset allows countries to reach the service of that name, fenced or not."""
    previous = next((each for each in ruleset.services if each.name == service.name), None)
    return previous is None or _allows(ruleset, previous)


def _allows(ruleset: Ruleset, service: FencedService) -> bool:
    keys = (SetKey(Role.ALLOW, service.allow_group, family) for family in Family)
    return any(ruleset.sets[key] for key in keys)


def _objection(guard: Guard, service: str, saw: str, allows: str, remedy: str) -> Objection:
    return Objection(guard, f"service {service}", saw, allows, str(guard), remedy)
