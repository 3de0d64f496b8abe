"""Would the rules themselves open the fence to nearly everybody, or shut everybody out? Pure."""

from __future__ import annotations

from collections.abc import Iterator

from geofence.guards.objection import Guard, Objection
from geofence.guards.special_prefixes import special_space
from geofence.guards.wording import addresses
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import FencedService, Role, Ruleset, SetKey
from geofence.routing.local_networks import BROADEST

MOST_EXCEPTED = {Family.IPV4: 1 << 24, Family.IPV6: 1 << (128 - 20)}
"""Public addresses that exceptions may newly allow: a /8, or an IPv6 /20, as nobody but a registry
has."""


def check_rules(before: Ruleset | None, after: Ruleset) -> tuple[Objection, ...]:
    """What speaks against a ruleset, whatever the lists hold.

    What was so before is meant so.

    Args:
        before: what the kernel holds now; None for no fence.
        after: what it would hold.
    """
    return (*_open(before, after), *_shut_out(before, after))


def _open(before: Ruleset | None, after: Ruleset) -> Iterator[Objection]:
    for service in after.services:
        for family in Family:
            gained = _excepted(after, service, family) - _excepted(before, service, family)
            if gained.size > MOST_EXCEPTED[family]:
                yield _objection(
                    Guard.OPEN,
                    service,
                    f"Exceptions would newly allow {addresses(family, gained.size)} to reach the "
                    f"service {service.name}.",
                    f"They may allow {addresses(family, MOST_EXCEPTED[family])} at once; "
                    "more opens the fence to nearly everybody.",
                    "Write the prefixes of those who are meant",
                )
                return
    for network in after.local:
        known = before.local if before else ()
        if network.prefix.length < BROADEST[network.prefix.family] and network not in known:
            yield Objection(
                Guard.OPEN,
                str(network),
                f"The local network {network} would be trusted.",
                "No private network is as broad; that opens the fence to nearly everybody.",
                str(Guard.OPEN),
                "Write the networks that are meant",
            )
            return


def _excepted(ruleset: Ruleset | None, service: FencedService, family: Family) -> PrefixSet:
    """Public addresses that exceptions allow to reach a service."""
    key = SetKey(Role.EXCEPTION, service.name, family)
    held = ruleset.sets.get(key) if ruleset else None
    return held - special_space()[family] if held else PrefixSet(family)


def _shut_out(before: Ruleset | None, after: Ruleset) -> Iterator[Objection]:
    for service in after.services:
        if _allows(after, service) or (before and not _allowed(before, service)):
            continue
        yield _objection(
            Guard.SHUT_OUT,
            service,
            f"No country would be allowed to reach the service {service.name}.",
            "Only exceptions and local networks would.",
            "Name countries in [allow]",
        )
        return


def _allowed(ruleset: Ruleset, service: FencedService) -> bool:
    """Whether a ruleset allows countries to reach the service of that name, fenced or not."""
    former = next((each for each in ruleset.services if each.name == service.name), None)
    return former is None or _allows(ruleset, former)


def _allows(ruleset: Ruleset, service: FencedService) -> bool:
    keys = (SetKey(Role.ALLOW, service.allow_group, family) for family in Family)
    return any(ruleset.sets[key] for key in keys)


def _objection(
    guard: Guard, service: FencedService, saw: str, allows: str, remedy: str
) -> Objection:
    return Objection(guard, f"service {service.name}", saw, allows, str(guard), remedy)
