"""Evidence for ``doctor`` of the PBX: its files, the running Asterisk, DNS, a STUN server."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from geofence.allowed import catalog
from geofence.asterisk import console
from geofence.asterisk.codecs import read_codecs
from geofence.asterisk.reader import read_configuration
from geofence.asterisk.reading import HostKind, Reading, Trunk
from geofence.doctor.evidence import Codecs, Contact, Hosts, Provider
from geofence.doctor.findings import Subject, Unchecked, WhyUnchecked
from geofence.doctor.nat import address_space
from geofence.doctor.ports import is_pbx
from geofence.errors import AsteriskError, BackendError, GeofenceError, ListError
from geofence.geoip.scopes import LOOPBACK, NOT_ROUTED
from geofence.host.sockets import ListeningSocket
from geofence.host.stun import mapped_address
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.operations.site import Site
from geofence.spelling import printable

_RESOLVE_SECONDS = 3.0
_ALL_NAMES_SECONDS = 10.0
_MOST_NAMES = 20
"""Names that DNS is asked for; a panel may have thousands of trunks."""


@dataclass(slots=True)
class Pbx:
    """What was read."""

    reading: Reading | None = None
    names: dict[str, AddressSpace] = field(default_factory=dict)
    contacts: tuple[Contact, ...] | None = None
    codecs: Codecs | None = None
    public: AddressSpace | None = None
    asked: str = ""
    """The STUN server."""
    unchecked: list[Unchecked] = field(default_factory=list)

    def told(self, subject: Subject, why: WhyUnchecked, message: str = "") -> None:
        """Note what could not be read."""
        self.unchecked.append(Unchecked(subject, why, message))


def read_pbx(  # noqa: PLR0913 - where to look
    site: Site,
    directory: Path,
    sockets: Iterable[ListeningSocket],
    hosts: Hosts | None,
    *,
    offline: bool,
    program: str,
) -> Pbx:
    """Return what files, the running Asterisk and servers tell; never fails.

    Args:
        site: the installation.
        directory: of Asterisk's configuration.
        sockets: this host's.
        hosts: this host's addresses.
        offline: ask neither DNS nor a STUN server.
        program: that asks the running Asterisk; the usual one if empty.
    """
    pbx = Pbx()
    try:
        pbx.reading = read_configuration(directory)
    except AsteriskError as error:
        there = directory.is_dir()
        pbx.told(
            Subject.ASTERISK,
            WhyUnchecked.FAILED if there else WhyUnchecked.NOT_THERE,
            str(error) if there else str(directory),
        )
    if pbx.reading is not None:
        _read_names(pbx, pbx.reading, site, offline=offline)
        _read_public(pbx, pbx.reading, hosts, offline=offline)
        _tell_unseen(pbx, pbx.reading)
    if program or console.is_installed():
        _read_running(pbx, directory, program)
    elif any(map(is_pbx, sockets)):
        pbx.told(Subject.CONSOLE, WhyUnchecked.NOT_THERE, "asterisk -rx")
    return pbx


def _tell_unseen(pbx: Pbx, reading: Reading) -> None:
    for each in reading.unseen:
        pbx.told(Subject.ASTERISK, WhyUnchecked.PARTLY, f"{each.where}: {each.kind}")


def _read_names(pbx: Pbx, reading: Reading, site: Site, *, offline: bool) -> None:
    """Find the addresses of names: stored ones, else those that DNS gives."""
    trunks = [trunk.host for trunk in reading.trunks if trunk.kind is HostKind.NAME]
    external = [each for each in reading.external if address_space(each) is None]
    unknown = []
    for name in dict.fromkeys((*external, *trunks)):
        pbx.names |= {name: held} if (held := _stored(site, name)) else {}
        unknown += [] if name in pbx.names else [name]
    deadline = time.monotonic() + _ALL_NAMES_SECONDS
    for name in () if offline else unknown[:_MOST_NAMES]:
        if time.monotonic() > deadline:  # DNS does not answer
            break
        with suppress(ListError):  # what has no address yet is told as unknown
            pbx.names[name] = _resolved(name)
    for name in external:
        if name not in pbx.names:
            pbx.told(Subject.PUBLIC_ADDRESS, WhyUnchecked.FAILED, printable(name))


def _stored(site: Site, name: str) -> AddressSpace:
    found = AddressSpace()
    for wanted in _lists(name):
        with suppress(GeofenceError):  # damaged ones are told by 'status'
            accepted = site.lists.load(wanted).accepted
            found |= accepted.space if accepted else AddressSpace()
    return found


def _lists(name: str) -> Iterator[ListId]:
    yield ListId(ListKind.HOST, name)
    for service in ("_sip._udp", "_sip._tcp", "_sips._tcp"):
        yield ListId(ListKind.SRV, f"{service}.{name}")


def _resolved(name: str) -> AddressSpace:
    """Return the addresses that DNS gives.

    Raises:
        ListError: it gives none.
    """
    from geofence.fetch.dns import resolve  # dnspython takes long to import

    texts = resolve(name, _RESOLVE_SECONDS).addresses
    return AddressSpace.union(filter(None, map(address_space, texts)))


def _read_public(pbx: Pbx, reading: Reading, hosts: Hosts | None, *, offline: bool) -> None:
    """Ask Asterisk's own STUN server how others see this host, where its interfaces do not tell."""
    spaces = [address_space(each) or pbx.names.get(each) for each in reading.external]
    public = [space for space in spaces if space and space.ipv4 and space - NOT_ROUTED]
    if not public or hosts is None or (hosts.own - NOT_ROUTED - LOOPBACK).ipv4:
        return
    if offline or not reading.stun:
        pbx.told(Subject.PUBLIC_ADDRESS, WhyUnchecked.NOT_THERE)
        return
    server = reading.stun[0]
    try:
        found = mapped_address(server.host, server.port)
    except BackendError as error:
        pbx.told(Subject.PUBLIC_ADDRESS, WhyUnchecked.FAILED, str(error))
        return
    prefix = Prefix(Family.IPV4, int(found), Family.IPV4.bits)
    pbx.public, pbx.asked = AddressSpace.of((prefix,)), f"{server.host}:{server.port}"


def _read_running(pbx: Pbx, directory: Path, program: str) -> None:
    try:
        found = console.contacts(program)
        pbx.contacts = tuple(
            Contact(printable(each.name), space)
            for each in found
            if (space := _of_contact(each.host)) is not None
        )
        pbx.codecs = _codecs(directory, console.translated(program))
    except BackendError as error:
        pbx.told(Subject.CONSOLE, WhyUnchecked.FAILED, str(error))


def _of_contact(host: str) -> AddressSpace | None:
    """Return a contact's address; None for a name, and for a private one.

    A phone behind a router names its own address, which the fence does not see.
    """
    try:
        ip_address(host)
    except ValueError:
        return None
    space = address_space(host)
    return space if space and space - NOT_ROUTED else None


def _codecs(directory: Path, translated: frozenset[str]) -> Codecs | None:
    with suppress(AsteriskError):  # told before
        return Codecs(read_codecs(directory), translated)
    return None


def providers(
    reading: Reading,
    policy: Policy,
    exceptions: Mapping[str, tuple[NamedException, AddressSpace]],
) -> Iterator[Provider]:
    """Yield providers of the catalogue that have trunks here and media elsewhere.

    Args:
        reading: Asterisk's configuration.
        policy: the rules, which the catalogue is part of.
        exceptions: those of the rules with their addresses.
    """
    for trunk in reading.trunks:
        found = _entries(trunk, policy.exceptions)
        kinds = {each.name: catalog.carries(each, policy.exceptions) for each in found}
        if catalog.Carries.SIGNALLING in kinds.values():
            sending = [each for each in found if kinds[each.name] is catalog.Carries.MEDIA]
            media = (exceptions[each.name][1] for each in sending)
            name = next((each.group or each.name for each in found), "")
            yield Provider(name, trunk.host, AddressSpace.union(media), name)


def _entries(trunk: Trunk, exceptions: Iterable[NamedException]) -> tuple[NamedException, ...]:
    """Return the entries of the catalogue that a trunk is of, with those of the same provider."""
    known = tuple(exceptions)
    found = catalog.match(trunk.host, known)
    space = address_space(trunk.host)
    if found or not space:
        return found
    held = catalog.holding(space, known)
    groups = {each.group for each in held if each.group}
    return tuple(each for each in known if each in held or each.group in groups)
