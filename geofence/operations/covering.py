"""``exceptions --covering``: what keeps an address from being banned.

fail2ban asks this before each ban, so little is imported and read: rules, routes, and stored
answers of DNS only if nothing else covers the address.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from geofence.geoip.scopes import LOOPBACK
from geofence.merge import exception_space
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace
from geofence.operations.site import Site
from geofence.routing.local_networks import local_networks
from geofence.routing.routes import local_addresses, read_places


class CoverKind(StrEnum):
    """What an address can be covered by. The values are stable: scripts read them."""

    LOOPBACK = "loopback"
    OWN = "own"
    """It is an address of this host."""
    LOCAL = "local-network"
    EXCEPTION = "exception"


@dataclass(frozen=True, slots=True)
class Cover:
    """What covers an address."""

    kind: CoverKind
    name: str
    """Of the exception or the local network; empty for others."""


def covering(site: Site, space: AddressSpace, service: str | None = None) -> Cover | None:
    """Return what covers all of some addresses; None for nothing.

    Args:
        site: the installation.
        space: the addresses.
        service: exceptions count only if they are for this service; None: for any.

    Raises:
        RulesError: the rules do not load.
        BackendError: the kernel does not tell this host's routes.
    """
    policy = site.policy()
    return next(_covers(site, policy, space, service), None)


def _covers(
    site: Site, policy: Policy, space: AddressSpace, service: str | None
) -> Iterator[Cover]:
    if not space - LOOPBACK:
        yield Cover(CoverKind.LOOPBACK, "")
    exceptions = [each for each in policy.enabled_exceptions() if _counts(each, service)]
    for each in exceptions:
        if not space - each.prefixes:
            yield Cover(CoverKind.EXCEPTION, each.name)
    if not space - local_addresses():
        yield Cover(CoverKind.OWN, "")
    for network in local_networks(policy, read_places()):
        if not space - AddressSpace.of((network.prefix,)):
            yield Cover(CoverKind.LOCAL, str(network))
    for each in exceptions:
        found = {name: site.lists.load(name).accepted for name in each.lists}
        known = {name: accepted.space for name, accepted in found.items() if accepted}
        if not space - exception_space(each, known):
            yield Cover(CoverKind.EXCEPTION, each.name)


def _counts(exception: NamedException, service: str | None) -> bool:
    return service is None or exception.opens(service)
