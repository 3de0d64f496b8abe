"""What the operator has to know of what was found, as notes. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from geofence.asterisk.additions import Refused
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import Ports, Protocol
from geofence.setup.answers import Answers, follows
from geofence.setup.asterisk_tables import unfenced
from geofence.setup.machine import AsteriskFound, Existing, Machine

_SSHD = "sshd"
_KEYS = ("allow.countries", "local.interfaces", "asterisk.follow", "notify")
"""Keys of the operator's that setup would else decide."""


def remarks(found: Machine, answers: Answers, existing: Existing) -> Iterator[Note]:
    """Yield the notes, what matters most first."""
    yield from _ssh(found, existing)
    yield from _asterisk(found.asterisk)
    if not follows(answers, existing):  # else the plan tells
        yield from _read(found, existing)
    yield from _said(found, existing)
    for tunnel in found.tunnels:
        if tunnel.is_way_out:
            yield Note(NoteKind.SETUP_WAY_OUT, tunnel.name)
    if found.firewalls:
        yield Note(NoteKind.SETUP_FIREWALLS, "", {"programs": list(found.firewalls)})
    if found.docker:
        ports = dict.fromkeys(f"{each.port}/{each.protocol}" for each in found.docker)
        yield Note(NoteKind.SETUP_DOCKER, "", {"ports": list(ports)})
    if found.addresses and not found.country and not answers.countries:
        yield Note(NoteKind.SETUP_COUNTRY_UNKNOWN, str(found.addresses[0]))
    yield from _surroundings(found)


def _ssh(found: Machine, existing: Existing) -> Iterator[Note]:
    if found.ssh is not None:
        facts = {"address": str(found.ssh), "port": found.ssh.port}
        yield Note(NoteKind.SETUP_SSH, _service_of(found.ssh.port, found, existing), facts)
    ports = {
        each.port
        for each in found.sockets
        if each.exposed and any(holder.program == _SSHD for holder in each.holders)
    }
    for port in sorted(ports):
        service = _service_of(port, found, existing)
        if service:
            yield Note(NoteKind.SETUP_SSHD, service, {"port": port})


def _service_of(port: int, found: Machine, existing: Existing) -> str:
    """Return the service that has a TCP port, or gets it; empty for none."""
    one = Ports(Protocol.TCP, port, port)
    known = ((each.name, ports) for each in existing.policy.services for ports in each.ports)
    added = ((each.service, each.ports) for each in unfenced(found, existing))
    return next((name for name, ports in (*known, *added) if ports.overlaps(one)), "")


def _asterisk(asterisk: AsteriskFound) -> Iterator[Note]:
    if asterisk.unread:
        facts = {"message": asterisk.unread, "kept": False}
        yield Note(NoteKind.ASTERISK_UNREAD, str(asterisk.directory), facts)
    elif asterisk.hidden:
        yield Note(NoteKind.SETUP_ASTERISK_HIDDEN, "", {"processes": list(asterisk.hidden)})
    elif asterisk.directory is None:
        yield Note(NoteKind.SETUP_NO_ASTERISK)


def _read(found: Machine, existing: Existing) -> Iterator[Note]:
    """Yield what the configuration has and the rules that are written down have not."""
    reading, derived = found.asterisk.reading, found.asterisk.derived
    if reading is None or derived is None:
        return
    if reading.invalid:
        invalid = {"files": list(reading.invalid), "kept": existing.has_file}
        yield Note(NoteKind.ASTERISK_INVALID, str(found.asterisk.directory), invalid)
    if reading.unseen:
        places = list(dict.fromkeys(each.where for each in reading.unseen))
        yield Note(NoteKind.ASTERISK_UNSEEN, "", {"places": places})
    fenced = {str(each.ports) for each in unfenced(found, existing)}
    for each in derived.refused:
        if each.why is not Refused.LOOPBACK and each.item not in fenced:
            left_out = {"why": each.why.value, "sources": list(each.sources)}
            yield Note(NoteKind.ASTERISK_LEFT_OUT, each.item, left_out)
    for one in derived.exceptions:
        if one.broad:
            broad = {"prefixes": list(map(str, one.broad))}
            yield Note(NoteKind.SETUP_TOO_BROAD, one.exception.name, broad)


def _said(found: Machine, existing: Existing) -> Iterator[Note]:
    """Yield what the operator's files decide."""
    for key in _KEYS:
        place = existing.says(key)
        if place:
            yield Note(NoteKind.SETUP_RULES_SAY, key, {"place": str(place)})
    for ports in unfenced(found, existing):
        place = existing.says(f"service.{ports.service}.ports")
        if place:
            yield Note(NoteKind.SETUP_NOT_FENCED, str(ports.ports), {"place": str(place)})


def _surroundings(found: Machine) -> Iterator[Note]:
    if not found.standard:
        yield Note(NoteKind.SETUP_OTHER_PLACE)
    elif not found.has_systemd:
        yield Note(NoteKind.SETUP_NO_SYSTEMD)
    elif not found.has_units:
        yield Note(NoteKind.SETUP_NO_UNITS)
