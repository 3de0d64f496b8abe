"""What the rules gain from a reading of Asterisk's configuration. Pure.

Following never widens ``[local]``. The shipped rules trust private networks where this host
reaches them, ``local_net`` among them. Where the operator has taken them out, a file that a web
panel writes must not put them back.
"""

from __future__ import annotations

from geofence.asterisk.additions import (
    Asked,
    Derived,
    DerivedException,
    DerivedNetwork,
    ExpectedAnswers,
    FencedPorts,
    Refused,
    RefusedItem,
    Remark,
)
from geofence.asterisk.fenced_ports import fenced_ports, reach
from geofence.asterisk.reading import Reading
from geofence.asterisk.trunk_exceptions import trunk_exceptions, trunk_key
from geofence.geoip.scopes import LOOPBACK, PRIVATE
from geofence.model.frozen import replace
from geofence.model.policy import Policy, Ports, Service
from geofence.model.prefixes import AddressSpace
from geofence.policy.addresses import prefix
from geofence.policy.mistakes import Mistake

__all__ = [
    "Asked",
    "Derived",
    "DerivedException",
    "DerivedNetwork",
    "ExpectedAnswers",
    "FencedPorts",
    "Refused",
    "RefusedItem",
    "Remark",
    "derive",
    "trunk_key",
    "with_derived",
]


def derive(reading: Reading, policy: Policy, own: AddressSpace | None = None) -> Derived:
    """Return what a configuration asks of the rules.

    Args:
        reading: the configuration.
        policy: the rules, without what was derived before.
        own: addresses of this host, which are never a trunk's.
    """
    fenced = tuple(fenced_ports(reading, policy))
    reached = reach(reading, fenced, policy)
    exceptions, refused = trunk_exceptions(reading, policy, reached, own or AddressSpace())
    local, public = _local(reading, policy)
    left_out = (
        RefusedItem(str(each.ports), why, (each.source,))
        for each in fenced
        if (why := each.left_out)
    )
    answers = (
        *(ExpectedAnswers(each, Asked.STUN) for each in reading.stun),
        *(ExpectedAnswers(each, Asked.TURN) for each in reading.turn),
    )
    return Derived(fenced, exceptions, local, answers, (*refused, *left_out, *public))


def with_derived(policy: Policy, derived: Derived) -> Policy:
    """Return the rules with what was derived; no rule is changed, only ports and names are added.

    What the operator has to decide is left out: privileged ports, those of services that the rules
    disable, local networks, and exceptions that the rules ignore.
    """
    new: dict[str, list[Ports]] = {}
    for each in derived.missing:
        if not each.left_out:
            new.setdefault(each.service, []).append(each.ports)
    known = {service.name for service in policy.services}
    services = tuple(
        replace(service, ports=(*service.ports, *new.get(service.name, ())))
        for service in policy.services
    )
    made = tuple(Service(name, tuple(ports)) for name, ports in new.items() if name not in known)
    ignored = policy.asterisk.ignored
    exceptions = tuple(
        each.exception for each in derived.exceptions if each.exception.name not in ignored
    )
    return replace(
        policy, services=(*services, *made), exceptions=(*policy.exceptions, *exceptions)
    )


def _local(
    reading: Reading, policy: Policy
) -> tuple[tuple[DerivedNetwork, ...], tuple[RefusedItem, ...]]:
    found: list[DerivedNetwork] = []
    refused: list[RefusedItem] = []
    trusted = policy.local_space
    for text in reading.local_nets:
        try:
            network = prefix(text)
        except Mistake:
            refused.append(RefusedItem(text, Refused.MALFORMED))
            continue
        space = AddressSpace.of((network,))
        if not space - LOOPBACK:
            continue
        by_rules = not space - trusted
        if by_rules or not space - PRIVATE:
            found.append(DerivedNetwork(network, by_rules))
        else:
            refused.append(RefusedItem(text, Refused.PUBLIC))
    return tuple(found), tuple(refused)
