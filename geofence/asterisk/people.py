"""People at a running Asterisk: registered contacts and calls, from what its console says. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from geofence.asterisk.console import RegisteredContact
from geofence.geoip.scopes import PRIVATE
from geofence.model.address import Address

CALLS = "core show channels concise"
CONTACTS = "pjsip show contacts"

_MOST = 100_000
"""Lines that are read of an answer."""
_SEPARATOR = "!"
_FIELDS = 14
_CHANNEL = re.compile(r"(?P<technology>PJSIP|IAX2|SIP)/(?P<name>.+)-(?:[0-9a-f]{8}|[0-9]{1,6})")
_STATIC = re.compile(r"\s+Contact:\s+(?P<name>[^/\s]+)/sips?:(?P<rest>\S+)")
_HOST = re.compile(r"(?:[^@]*@)?(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<four>[0-9.]+))(?:[:;].*)?")


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a phone, or a push server for it, or a trunk is reached."""

    name: str
    """Of its address of record."""
    endpoint: str
    address: Address


@dataclass(frozen=True, slots=True)
class Call:
    """One side of a call in progress: a channel."""

    channel: str
    endpoint: str
    """Empty for a channel that is no peer's."""
    seconds: int
    call: str = ""
    """What both sides of one call have in common; empty while there is one side."""


def contacts(registered: Iterable[RegisteredContact], shown: str = "") -> tuple[Contact, ...]:
    """Return contacts that have an address: registered ones, and static ones.

    Args:
        registered: as the database has them.
        shown: what ``pjsip show contacts`` says, for static ones. It cuts long lines short.
    """
    found = [*_registered(registered), *_static(shown)]
    return tuple(dict.fromkeys(found))


def _registered(contacts: Iterable[RegisteredContact]) -> Iterator[Contact]:
    for each in contacts:
        known = [address for text in (each.host, each.via) if (address := _address(text))]
        if known:
            # A phone behind NAT may register its private address; then the sender is who it is.
            public = [address for address in known if not address.is_in(PRIVATE)]
            yield Contact(each.name, each.endpoint or each.name, (public or known)[0])


def _static(text: str) -> Iterator[Contact]:
    for line in text.splitlines()[:_MOST]:
        found = _STATIC.match(line)
        host = _HOST.fullmatch(found["rest"]) if found else None
        address = _address(host["six"] or host["four"]) if host else None
        if found and address:
            yield Contact(found["name"], found["name"], address)


def _address(text: str) -> Address | None:
    try:
        return Address.parse(text)
    except ValueError:
        return None


def calls(text: str) -> tuple[Call, ...]:
    """Return the channels of ``core show channels concise``; what is not one is passed over."""
    return tuple(_calls(text))


def _calls(text: str) -> Iterator[Call]:
    for line in text.splitlines()[:_MOST]:
        # An argument of an application may hold the separator, too; the ends stay what they are.
        fields = line.split(_SEPARATOR)
        if len(fields) < _FIELDS or not fields[-3].isdecimal():
            continue
        channel = _CHANNEL.fullmatch(fields[0])
        endpoint = channel["name"] if channel else ""
        yield Call(fields[0], endpoint, int(fields[-3][:9]), fields[-2])
