"""What the operator has to know of what was found, as notes. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from geofence.asterisk.additions import Refused
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import Ports, Protocol
from geofence.setup.answers import Answers
from geofence.setup.asterisk_tables import unfenced
from geofence.setup.machine import AsteriskFound, Existing, Machine

_PLACES = 5
"""Parts of a configuration that a note lists."""
_KEYS = ("allow.countries", "local.interfaces", "asterisk.follow", "notify")
"""Keys of the operator's that setup would else decide."""


def remarks(found: Machine, answers: Answers, existing: Existing) -> Iterator[Note]:
    """Yield the notes, what matters most first."""
    yield from _ssh(found, existing)
    yield from _asterisk(found.asterisk)
    yield from _not_rules(found, existing)
    for key in _KEYS:
        place = existing.says(key)
        if place:
            yield Note(NoteKind.SETUP_RULES_SAY, key, {"place": str(place)})
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
    if found.ssh is None:
        return
    port = Ports(Protocol.TCP, found.ssh.port, found.ssh.port)
    held = [
        service.name
        for service in existing.policy.services
        if any(ports.overlaps(port) for ports in service.ports)
    ]
    held += [each.service for each in unfenced(found, existing) if each.ports.overlaps(port)]
    facts = {"address": str(found.ssh), "port": found.ssh.port}
    yield Note(NoteKind.SETUP_SSH, held[0] if held else "", facts)


def _asterisk(asterisk: AsteriskFound) -> Iterator[Note]:
    if asterisk.unread:
        facts = {"message": asterisk.unread}
        yield Note(NoteKind.SETUP_ASTERISK_UNREAD, str(asterisk.directory), facts)
    elif asterisk.hidden:
        yield Note(NoteKind.SETUP_ASTERISK_HIDDEN, "", {"processes": list(asterisk.hidden)})
    elif asterisk.directory is None:
        yield Note(NoteKind.SETUP_NO_ASTERISK)
    reading = asterisk.reading
    if reading and reading.invalid:
        yield Note(NoteKind.SETUP_FILES_INVALID, "", {"files": list(reading.invalid)})
    if reading and reading.unseen:
        places = list(dict.fromkeys(each.where for each in reading.unseen))
        unseen = {"number": len(places), "places": places[:_PLACES]}
        yield Note(NoteKind.SETUP_UNSEEN, "", unseen)


def _not_rules(found: Machine, existing: Existing) -> Iterator[Note]:
    """Yield what the configuration has and the proposed rules have not."""
    derived = found.asterisk.derived
    fenced = {str(each.ports) for each in unfenced(found, existing)}
    for each in derived.refused if derived else ():
        if each.why is not Refused.LOOPBACK and each.item not in fenced:
            yield Note(NoteKind.SETUP_NOT_A_RULE, each.item, {"why": each.why.value})
    for one in derived.exceptions if derived else ():
        if one.broad:
            facts = {"prefixes": list(map(str, one.broad))}
            yield Note(NoteKind.SETUP_TOO_BROAD, one.exception.name, facts)
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
