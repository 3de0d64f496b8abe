"""A look at this host: everything that ``setup`` wants to know, put together. Changes nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from geofence.errors import BackendError, GeofenceError
from geofence.flows.conntrack import read_flows
from geofence.flows.flow import Flow
from geofence.geoip.special_prefixes import special_space
from geofence.host.sockets import ListeningSocket, read_sockets
from geofence.model.address import Address
from geofence.model.evidence import Evidence
from geofence.model.policy import Policy, Ports
from geofence.model.prefixes import AddressSpace, Family
from geofence.operations.knowledge import known_countries
from geofence.operations.site import RULES_DIRECTORY, STATE_DIRECTORY, Site
from geofence.operations.ssh import ssh_session
from geofence.routing.routes import local_addresses
from geofence.setup import fail2ban, units
from geofence.setup.asterisk import find_asterisk, registered
from geofence.setup.likely import (
    likely_countries,
    locale_country,
    most_common,
    zone_country,
)
from geofence.setup.machine import AsteriskFound, Existing, Machine, Peer
from geofence.setup.surroundings import (
    find_firewalls,
    has_mta,
    published,
    tunnels_or_none,
)

Country = Callable[[Address], str]
"""Returns the code of an address's country; empty if it is unknown."""


def look(site: Site, existing: Existing, directory: Path | None) -> Machine:
    """Return what there is on this host.

    Args:
        site: the installation.
        existing: its rules.
        directory: Asterisk's configuration; None: look for it.

    Raises:
        StateError: the stored lists cannot be read.
    """
    own = _own_addresses()
    asterisk = find_asterisk(directory, existing.policy, own)
    sockets, country = _sockets(), _countries(site)
    addresses = _public(own, asterisk)
    peers = _peers(_fenced(existing.policy, asterisk), country)
    ssh, contacts = ssh_session(), registered(existing.policy.asterisk.cli)
    found = {
        Evidence.CONTACTS: most_common(map(country, contacts)),
        Evidence.HOST: most_common(map(country, addresses)),
        Evidence.ZONE: zone_country(),
        Evidence.LOCALE: locale_country(os.environ),
        Evidence.PEERS: most_common(each.country for each in peers),
        Evidence.OPERATOR: (country(Address(ssh.family, ssh.source)),) if ssh else (),
    }
    return Machine(
        asterisk=asterisk,
        sockets=sockets,
        tunnels=tunnels_or_none(),
        ssh=ssh,
        addresses=addresses,
        country=next(iter(found[Evidence.HOST]), ""),
        likely=likely_countries(found),
        contacts=contacts,
        peers=peers,
        firewalls=find_firewalls(),
        docker=tuple(published(sockets)),
        has_fail2ban=shutil.which("fail2ban-client") is not None,
        has_jail=fail2ban.is_installed(),
        has_systemd=units.is_running(),
        has_units=units.are_installed(),
        units_enabled=units.are_enabled(),
        has_mta=has_mta(sockets),
        standard=is_standard(site),
    )


def is_standard(site: Site) -> bool:
    """Whether rules and state are where the units and fail2ban's files expect them."""
    return (site.rules_directory, site.state_directory) == (RULES_DIRECTORY, STATE_DIRECTORY)


def _own_addresses() -> AddressSpace:
    try:
        return local_addresses()
    except BackendError:
        return AddressSpace()


def _sockets() -> tuple[ListeningSocket, ...]:
    try:
        return read_sockets()
    except OSError:
        return ()


def _countries(site: Site) -> Country:
    index = known_countries(site).knowledge.countries

    def country(address: Address) -> str:
        found = index.country(address.family, address.number) if index else None
        return found or ""

    return country


def _public(own: AddressSpace, asterisk: AsteriskFound) -> tuple[Address, ...]:
    """Return this host's public addresses: its own, else those that Asterisk gives to others."""
    space = own - special_space()
    found = [
        Address(family, prefix.network) for family in Family for prefix in space[family].prefixes()
    ]
    if not found and asterisk.reading:
        found = [each for each in map(_parsed, asterisk.reading.external) if each]
    return tuple(found)


def _parsed(text: str) -> Address | None:
    try:
        return Address.parse(text)
    except ValueError:  # a name
        return None


def _fenced(policy: Policy, asterisk: AsteriskFound) -> tuple[Ports, ...]:
    """Return all ports that are fenced, or will be."""
    derived = asterisk.derived.missing if asterisk.derived else ()
    known = (ports for service in policy.services for ports in service.ports)
    return (*known, *(each.ports for each in derived))


def _peers(fenced: Iterable[Ports], country: Country) -> tuple[Peer, ...]:
    """Return who talks to fenced ports; nobody where connections are not tracked."""
    ranges = tuple(fenced)
    try:
        flows = read_flows()
    except GeofenceError:
        return ()
    found: dict[Address, dict[str, None]] = {}
    for flow in flows:
        ports = _ports_of(flow, ranges)
        if ports:
            found.setdefault(Address(flow.family, flow.source), {})[ports] = None
    return tuple(
        Peer(address, tuple(ports), country(address)) for address, ports in sorted(found.items())
    )


def _ports_of(flow: Flow, ranges: Iterable[Ports]) -> str:
    """Return the ports that a live flow from outside is for; empty for others."""
    if not (flow.inbound and flow.live):
        return ""
    held = (each for each in ranges if each.protocol == flow.protocol and flow.port in each)
    return str(next(held, ""))
