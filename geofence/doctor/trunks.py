"""Checks of those who must get in: trunks, their media, registered contacts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from geofence.asterisk.reading import Reading, Trunk, Use
from geofence.doctor.evidence import Evidence
from geofence.doctor.findings import Finding, FindingKind
from geofence.doctor.nat import address_space
from geofence.doctor.ports import media
from geofence.geoip.scopes import LOOPBACK
from geofence.model.policy import Ports
from geofence.model.prefixes import AddressSpace, Family, address_text, address_texts
from geofence.model.ruleset import FencedService, Role, Ruleset, SetKey
from geofence.routing.local_networks import BROADEST

_SHOWN = 5
"""Addresses that a finding names."""
_REGISTERED_BY = (Use.SIP, Use.HTTP, Use.HTTPS)
"""How phones register: browsers by a WebSocket."""
_SIGNALLING = {Use.SIP: (Use.SIP, Use.SIPS), Use.SIPS: (Use.SIP, Use.SIPS), Use.IAX: (Use.IAX,)}


def trunks(evidence: Evidence) -> Iterator[Finding]:
    """Find trunks that may not signal, or not send media."""
    reading, ruleset = evidence.reading, evidence.ruleset
    if reading is None or ruleset is None:
        return
    for trunk in reading.trunks:
        space = addresses_of(trunk, evidence)
        if space is None:
            if not _is_named(trunk, evidence):
                yield Finding(FindingKind.TRUNK_UNKNOWN, trunk.host, _of(trunk))
            continue
        yield from _verdict(evidence, reading, ruleset, trunk, space)


def _verdict(
    evidence: Evidence, reading: Reading, ruleset: Ruleset, trunk: Trunk, space: AddressSpace
) -> Iterator[Finding]:
    signalling = _serving(ruleset, _listening(reading, trunk.use))
    closed = [each for each in signalling if _blocked(evidence, each, space)]
    if signalling and len(closed) == len(signalling):
        blocked = AddressSpace.union(_blocked(evidence, each, space) for each in closed)
        data = _of(trunk) | {"addresses": _few(blocked), "services": _names(closed)}
        yield Finding(FindingKind.TRUNK_BLOCKED, trunk.host, data)
        return
    if trunk.use is Use.IAX or any(each.trunk == trunk.host for each in evidence.providers):
        return  # its media comes with its signalling, or from elsewhere (see ``providers``)
    mute = [each for each in _serving(ruleset, media(evidence)) if _blocked(evidence, each, space)]
    if mute:
        blocked = AddressSpace.union(_blocked(evidence, each, space) for each in mute)
        data = _of(trunk) | {"addresses": _few(blocked), "services": _names(mute)}
        yield Finding(FindingKind.TRUNK_MEDIA_BLOCKED, trunk.host, data)


def addresses_of(trunk: Trunk, evidence: Evidence) -> AddressSpace | None:
    """Return the addresses of a trunk; None if they are not known.

    A prefix that is broader than a network of somebody's (``0.0.0.0/0``) is no trunk, and this host
    itself is none.
    """
    space = address_space(trunk.host) or evidence.names.get(trunk.host)
    if not space:
        return None
    own = evidence.hosts.own if evidence.hosts else AddressSpace()
    left_out = (address_space(each) or AddressSpace() for each in trunk.left_out)
    rest = space - AddressSpace.union((*left_out, own, LOOPBACK))
    prefixes = (prefix for family in Family for prefix in rest[family].prefixes())
    return AddressSpace.of(each for each in prefixes if each.length >= BROADEST[each.family])


def providers(evidence: Evidence) -> Iterator[Finding]:
    """Find providers of trunks of which the fence blocks published media addresses."""
    ruleset = evidence.ruleset
    if ruleset is None:
        return
    for each in evidence.providers:
        services = _serving(ruleset, media(evidence))
        blocked = AddressSpace.union(_blocked(evidence, one, each.media) for one in services)
        if blocked:
            data = {
                "provider": each.name,
                "addresses": _few(blocked),
                "exception": each.exception,
                "services": _names(services),
            }
            yield Finding(FindingKind.PROVIDER_MEDIA_BLOCKED, each.trunk, data)


def contacts(evidence: Evidence) -> Iterator[Finding]:
    """Find registered contacts that the fence blocks, push servers by their exception's name."""
    ruleset, reading = evidence.ruleset, evidence.reading
    if ruleset is None or evidence.contacts is None:
        return
    ports = (
        tuple(at for use in _REGISTERED_BY for at in _listening(reading, use)) if reading else ()
    )
    services = _serving(ruleset, ports or _not_media(evidence))
    for each in evidence.contacts:
        if services and all(_blocked(evidence, one, each.space) for one in services):
            data: dict[str, object] = {"address": " ".join(address_texts(each.space))}
            name = _push_server(evidence, each.space)
            kind = FindingKind.PUSH_SERVER_BLOCKED if name else FindingKind.CONTACT_BLOCKED
            yield Finding(kind, each.name, data | ({"exception": name} if name else {}))


def _push_server(evidence: Evidence, space: AddressSpace) -> str:
    """Return the disabled exception that has the address; empty for none."""
    for name, (exception, held) in evidence.exceptions.items():
        if not exception.enabled and (held | exception.last_known).meets(space):
            return name
    return ""


def peers(evidence: Evidence) -> Iterator[Finding]:
    """Find peers that this host contacts from fenced ports and that no rule allows."""
    known = evidence.connections.unnamed if evidence.connections else ()
    for each in known:
        address = address_text(each.family, each.address)
        yield Finding(FindingKind.UNNAMED_PEER, address, {"services": dict(each.services)})


def _listening(reading: Reading, use: Use) -> tuple[Ports, ...]:
    """Return the ports where signalling of a use arrives."""
    uses = _SIGNALLING.get(use, (use,))
    return tuple(
        Ports(each.protocol, each.port, each.port) for each in reading.listeners if each.use in uses
    )


def _not_media(evidence: Evidence) -> tuple[Ports, ...]:
    ranges = media(evidence)
    return tuple(
        each
        for ports in evidence.services.values()
        for each in ports
        if not any(each.overlaps(one) for one in ranges)
    )


def _serving(ruleset: Ruleset, ports: Iterable[Ports]) -> tuple[FencedService, ...]:
    """Return the fenced services of some ports; those that are only observed block nobody."""
    wanted = tuple(ports)
    return tuple(
        service
        for service in ruleset.services
        if not service.observe
        and any(each.overlaps(one) for each in service.ports for one in wanted)
    )


def _blocked(evidence: Evidence, service: FencedService, space: AddressSpace) -> AddressSpace:
    """Return the part of some addresses that may not begin a connection to a service."""
    ruleset = evidence.ruleset or Ruleset()
    groups = ((Role.ALLOW, service.allow_group), *((role, service.name) for role in _EXCEPTIONS))
    allowed = AddressSpace.union(
        AddressSpace(*(ruleset.held(SetKey(role, group, family)) for family in Family))
        for role, group in groups
    )
    return space.without(allowed | _trusted(evidence, ruleset))


def _trusted(evidence: Evidence, ruleset: Ruleset) -> AddressSpace:
    """Return local networks, and those that are reached by trusted interfaces, such as a VPN's."""
    places = evidence.hosts.places if evidence.hosts else ()
    return AddressSpace.of(
        (
            *(network.prefix for network in ruleset.local),
            *(
                place.prefix
                for place in places
                if any(fnmatchcase(place.interface, each) for each in ruleset.interfaces)
            ),
        )
    )


_EXCEPTIONS = (Role.EXCEPTION, Role.TIMED)


def _is_named(trunk: Trunk, evidence: Evidence) -> bool:
    """Whether an enabled exception names the trunk, so that its state is told elsewhere."""
    names = (exception for exception, _ in evidence.exceptions.values() if exception.enabled)
    return any(trunk.host in (*each.hosts, *each.srv) for each in names)


def _of(trunk: Trunk) -> dict[str, object]:
    return {"sources": list(trunk.sources)}


def _few(space: AddressSpace) -> list[str]:
    return address_texts(space)[:_SHOWN]


def _names(services: Iterable[FencedService]) -> list[str]:
    return [each.name for each in services]


CHECKS = (trunks, providers, contacts, peers)
