"""Checks of what Asterisk says its addresses are, against what they are. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from geofence.doctor.evidence import Evidence, Hosts
from geofence.doctor.findings import Finding, FindingKind
from geofence.geoip.scopes import LINK_LOCAL, LOOPBACK, LOOPBACKS, NOT_ROUTED
from geofence.model.prefixes import AddressSpace, Family, Prefix, address_texts, prefix_text
from geofence.policy.addresses import prefix
from geofence.policy.mistakes import Mistake
from geofence.routing.local_networks import Place, Reached
from geofence.routing.pods import is_of_guests

_NOT_REACHED = NOT_ROUTED | LOOPBACK
"""Addresses that no distant host reaches."""


def address_space(text: str) -> AddressSpace | None:
    """Return the addresses of a prefix or an address; None for a name."""
    try:
        return AddressSpace.of((prefix(text),))
    except Mistake:
        pass
    try:
        found = ip_address(text)
    except ValueError:
        return None
    family = Family.IPV4 if found.version == 4 else Family.IPV6  # noqa: PLR2004
    return AddressSpace.of((Prefix(family, int(found), family.bits),))


def external(evidence: Evidence) -> Iterator[Finding]:
    """Find ``external_*`` that is not this host's address."""
    reading, hosts = evidence.reading, evidence.hosts
    if reading is None or hosts is None:
        return
    for written in dict.fromkeys(reading.external):
        space = address_space(written) or evidence.names.get(written)
        if not space:
            continue
        if not space - _NOT_REACHED:
            yield Finding(
                FindingKind.EXTERNAL_PRIVATE, written, {"addresses": address_texts(space)}
            )
            continue
        seen = _seen(hosts, space)
        if seen is not None and not (space & (hosts.own | seen)):
            data = {"addresses": address_texts(seen), "asked": hosts.asked}
            yield Finding(FindingKind.EXTERNAL_NOT_OURS, written, data)


def _seen(hosts: Hosts, space: AddressSpace) -> AddressSpace | None:
    """Return how others see this host, in the families of some addresses; None if unknown."""
    known = hosts.public if hosts.public is not None else hosts.own - _NOT_REACHED
    families = [family for family in Family if space[family]]
    return known if all(known[family] for family in families) else None


def missing_external(evidence: Evidence) -> Iterator[Finding]:
    """Find that others are told a private address, since ``external_*`` is not set."""
    reading, hosts = evidence.reading, evidence.hosts
    if reading is None or hosts is None or reading.external:
        return
    own = hosts.own - AddressSpace.of((*LINK_LOCAL, *LOOPBACKS))
    private = own - (hosts.own - _NOT_REACHED)
    listens = any(each.exposed and 4 in each.families for each in reading.listeners)  # noqa: PLR2004
    if listens and own.ipv4 and not (own - _NOT_REACHED).ipv4:
        data = {"addresses": address_texts(AddressSpace(private.ipv4))}
        yield Finding(FindingKind.EXTERNAL_MISSING, "", data, mild=not reading.trunks)


def local_net(evidence: Evidence) -> Iterator[Finding]:
    """Find networks that are connected and not in ``local_net``."""
    reading, hosts = evidence.reading, evidence.hosts
    if reading is None or hosts is None or not reading.external:
        return
    known = AddressSpace.union(
        space for each in reading.local_nets if (space := address_space(each)) is not None
    )
    contacts = AddressSpace.union(each.space for each in evidence.contacts or ())
    families = _families(evidence)
    for place in hosts.places:
        space = AddressSpace.of((place.prefix,))
        if place.prefix.family in families and _is_lan(place) and space - known:
            data = {"interface": place.interface, "known": list(reading.local_nets)}
            mild = bool(known) and not contacts.meets(space)
            yield Finding(FindingKind.LOCAL_NET_MISSING, prefix_text(place.prefix), data, mild=mild)


def _families(evidence: Evidence) -> frozenset[Family]:
    """Return the families of ``external_*``; a name whose addresses are unknown is of IPv4."""
    written = evidence.reading.external if evidence.reading else ()
    spaces = [address_space(each) or evidence.names.get(each) for each in written]
    return frozenset(
        family
        for family in Family
        for space in spaces
        if (space[family] if space else family is Family.IPV4)
    )


def _is_lan(place: Place) -> bool:
    inside = not AddressSpace.of((place.prefix,)) - NOT_ROUTED
    connected = place.how is Reached.CONNECTED
    return inside and connected and not is_of_guests(place.interface)


CHECKS = (external, missing_external, local_net)
