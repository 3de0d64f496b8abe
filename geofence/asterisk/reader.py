"""The reader of Asterisk's configuration: files in, a ``Reading`` out. It never runs anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from geofence.asterisk.configuration import PJSIP, Configuration
from geofence.asterisk.directory import Directory
from geofence.asterisk.endpoints import read_endpoint
from geofence.asterisk.files import Files, InMemory
from geofence.asterisk.findings import Findings
from geofence.asterisk.iax import read_iax
from geofence.asterisk.media import read_rtp, read_udptl
from geofence.asterisk.peers import read_contacts, read_identify, read_registration
from geofence.asterisk.reading import Reading, ReadingWarning, Use, WarningKind
from geofence.asterisk.transports import Transports
from geofence.asterisk.trunks import trunks
from geofence.asterisk.web import read_http
from geofence.asterisk.wizard import wizard_objects

_READERS = {
    "aor": read_contacts,
    "identify": read_identify,
    "registration": read_registration,
}


def read_configuration(directory: Path) -> Reading:
    """Read the configuration of an Asterisk in a directory such as ``/etc/asterisk``.

    Raises:
        AsteriskError: there is no configuration, or the directory cannot be read.
    """
    return reading_of(Directory(directory))


def reading_of(files: Files | Mapping[str, bytes | str]) -> Reading:
    """Return what a configuration makes Asterisk do on the network.

    Args:
        files: the configuration directory; or contents by path below it.
    """
    found = Findings()
    configuration = Configuration(InMemory(files) if isinstance(files, Mapping) else files, found)
    needs_fax = _read_pjsip(configuration, found)
    read_rtp(configuration, found)
    read_udptl(configuration, found, needed=needs_fax)
    read_http(configuration, found)
    read_iax(configuration, found)
    _report_what_is_missing(configuration, found)
    known = trunks(found)
    return Reading(
        listeners=tuple(found.listeners),
        rtp=found.rtp,
        rtp_more=tuple(found.rtp_more),
        udptl=found.udptl,
        trunks=known,
        local_nets=tuple(map(str, found.local_nets)),
        external=tuple(found.external),
        stun=tuple(found.stun),
        turn=tuple(found.turn),
        unseen=tuple(found.unseen),
        warnings=tuple(found.warnings),
        invalid=configuration.invalid,
        files=configuration.read,
    )


def _read_pjsip(configuration: Configuration, found: Findings) -> bool:
    """Read pjsip.conf and its wizards; whether some endpoint sends faxes by T.38."""
    if not configuration.runs("res_pjsip"):
        found.warn(WarningKind.MODULE_NOT_LOADED, "modules.conf", module="res_pjsip")
        return False
    _read_transports(configuration, found)
    endpoints = configuration.objects("endpoint")
    configuration.objects("auth")  # only to say where they are
    in_database = endpoints.in_database
    for kind, read in _READERS.items():
        objects = configuration.objects(kind)
        in_database |= objects.in_database
        for each in objects.loaded:
            read(found, each)
    made = list(wizard_objects(configuration))
    for kind, each in made:
        if kind in _READERS:
            _READERS[kind](found, each)
    wizards = [each for kind, each in made if kind == "endpoint"]
    faxes = [read_endpoint(found, each) for each in [*endpoints.loaded, *wizards]]
    if in_database or "ps_contacts" in configuration.tables:
        _report_database(configuration, found)
    return any(faxes)


def _report_database(configuration: Configuration, found: Findings) -> None:
    table = configuration.tables.get("ps_contacts")
    if table:
        found.unsee(WarningKind.REALTIME, "extconfig.conf", what="contact", table=table)
    found.warn(WarningKind.TRUNKS_IN_DATABASE, "sorcery.conf")


def _read_transports(configuration: Configuration, found: Findings) -> None:
    objects = configuration.objects("transport")
    reader = Transports(found)
    for each in objects.loaded:
        reader.add(each)
    for each in objects.lost:
        reader.add(each, alive=False)
    for each in objects.unread:
        reader.add(each, certain=False)


def _report_what_is_missing(configuration: Configuration, found: Findings) -> None:
    """Report that nothing listens for SIP, or that something does that is not read."""
    if any(each.use in (Use.SIP, Use.SIPS) for each in found.listeners):
        return
    pjsip = configuration.file(PJSIP)
    if configuration.file("sip.conf").present:
        found.unsee(WarningKind.CHAN_SIP_ONLY, "sip.conf")
    elif pjsip.valid and pjsip.seen and not any(map(_hides_transports, found.unseen)):
        found.warn(WarningKind.NO_SIP_TRANSPORT, PJSIP)


def _hides_transports(unseen: ReadingWarning) -> bool:
    return unseen.data.get("what") == "transport"
