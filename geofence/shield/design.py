"""What the shield drops, as values: ports, addresses of this host, and who might be allowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from geofence.model.frozen import dataclass, field
from geofence.model.policy import Ports
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet
from geofence.model.ruleset import FencedService, Role, Ruleset, SetKey
from geofence.model.shield import LeftOut, Why

MOST_ADDRESSES = 32
"""Addresses of a family that are compared one after the other; packets to more go to the fence."""


class ShieldedService(NamedTuple):
    """A service whose packets may be dropped before the fence."""

    name: str
    ports: tuple[Ports, ...]


@dataclass(frozen=True, slots=True)
class Design:
    """All that program and tables are made of."""

    services: tuple[ShieldedService, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    """Services whose packets all go to the fence."""
    addresses: Mapping[Family, tuple[int, ...]] = field(default_factory=dict)
    """Addresses of this host."""
    allowed: AddressSpace = field(default_factory=AddressSpace)
    """Everybody whom the fence could allow to reach one of the services."""

    def family_addresses(self, family: Family) -> tuple[int, ...]:
        """Return this host's addresses of a family."""
        return self.addresses.get(family, ())

    @property
    def drops_anything(self) -> bool:
        """Whether there is a packet that it drops."""
        return bool(self.services) and any(self.addresses.values())


def design(
    ruleset: Ruleset, timed: Mapping[SetKey, PrefixSet], addresses: Iterable[Prefix]
) -> Design:
    """Return the shield of a ruleset on a host.

    Args:
        ruleset: what the fence holds.
        timed: what is allowed until a time, as recorded and as the kernel has it.
        addresses: this host's, as the first routing rule finds them.
    """
    reasons = {service.name: _reason(ruleset, service) for service in ruleset.services}
    shielded = [each for each in ruleset.services if reasons[each.name] is None]
    left_out = tuple(LeftOut(name, why) for name, why in reasons.items() if why is not None)
    parts = [_could_reach(ruleset, service, timed) for service in shielded]
    local = AddressSpace.of(network.prefix for network in ruleset.local)
    return Design(
        tuple(ShieldedService(each.name, each.ports) for each in shielded),
        left_out,
        dict(_own(addresses)),
        AddressSpace.union((local, *parts)),
    )


def _reason(ruleset: Ruleset, service: FencedService) -> Why | None:
    """Return why a service is left out; None if it is not."""
    if service.observe:
        return Why.OBSERVED
    if service.helpers:
        return Why.HELPERS
    for family in Family:
        held = ruleset.held(SetKey(Role.ALLOW, service.allow_group, family))
        if held.size == 1 << family.bits:
            return Why.OPEN
    return None


def _could_reach(
    ruleset: Ruleset, service: FencedService, timed: Mapping[SetKey, PrefixSet]
) -> AddressSpace:
    """Return everybody in a set that allows."""
    groups = (
        (Role.EXCEPTION, service.name),
        (Role.TIMED, service.name),
        (Role.ALLOW, service.allow_group),
    )
    keys = [[SetKey(*group, family) for group in groups] for family in Family]
    return AddressSpace(
        *(
            PrefixSet.union(family, _held(ruleset, timed, mine))
            for family, mine in zip(Family, keys, strict=True)
        )
    )


def _held(
    ruleset: Ruleset, timed: Mapping[SetKey, PrefixSet], keys: Iterable[SetKey]
) -> Iterator[PrefixSet]:
    for key in keys:
        yield ruleset.held(key)
        if key in timed:
            yield timed[key]


def _own(addresses: Iterable[Prefix]) -> Iterator[tuple[Family, tuple[int, ...]]]:
    """Yield the single addresses of each family by which others reach this host."""
    known = sorted(set(addresses))
    for family in Family:
        mine = [
            each.network
            for each in known
            if each.family is family and each.length == family.bits and not _is_loopback(each)
        ]
        yield family, tuple(mine[:MOST_ADDRESSES])


def _is_loopback(prefix: Prefix) -> bool:
    if prefix.family is Family.IPV4:
        return prefix.network >> 24 == 127  # noqa: PLR2004 - 127.0.0.0/8
    return prefix.network == 1
