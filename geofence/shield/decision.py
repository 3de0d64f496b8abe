"""What the program decides about a frame, in pure Python: tests hold the two against each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from geofence.model.policy import Protocol
from geofence.model.prefixes import Family
from geofence.shield.design import Design, ShieldedService
from geofence.shield.tables import Table, table_of

_ETHERNET = 14
_FAMILIES = {b"\x08\x00": Family.IPV4, b"\x86\xdd": Family.IPV6}
_PROTOCOLS = {each.number: each for each in Protocol}
_LEAST = {Protocol.UDP: 8, Protocol.TCP: 20}
_HEADER = {Family.IPV4: 20, Family.IPV6: 40}
_NO_OPTIONS = 0x45


class Seen(NamedTuple):
    """What of a frame matters."""

    family: Family
    protocol: Protocol
    source: int
    destination: int
    source_port: int
    port: int


def never_known(_: Seen) -> bool:
    """Return that conntrack knows no flow of it."""
    return False


def tables_of(made: Design) -> dict[Family, Table]:
    """Return the table of each family."""
    return {family: table_of(made.allowed[family]) for family in Family}


def drops(
    made: Design,
    tables: Mapping[Family, Table],
    frame: bytes,
    *,
    to_this_host: bool = True,
    known: Callable[[Seen], bool] = never_known,
) -> ShieldedService | None:
    """Return the service of which the shield drops a frame; None if it goes to the fence.

    Args:
        made: the shield.
        tables: its tables.
        frame: from the Ethernet header on.
        to_this_host: whether the frame is for this host's hardware address.
        known: whether conntrack has a flow of it.
    """
    seen = read_frame(frame) if to_this_host else None
    if seen is None:
        return None
    service = service_of(made, seen.protocol, seen.port)
    certain = (
        seen.destination in made.family_addresses(seen.family)
        and not tables[seen.family].holds(seen.source)
        and not known(seen)
    )
    return service if certain else None


def service_of(made: Design, protocol: Protocol, port: int) -> ShieldedService | None:
    """Return the shielded service that has a port."""
    for service in made.services:
        if any(ports.protocol is protocol and port in ports for ports in service.ports):
            return service
    return None


def read_frame(frame: bytes) -> Seen | None:
    """Return the parts of a frame; None for what the shield does not look at."""
    family = _FAMILIES.get(frame[12:14])
    if family is None or len(frame) < _ETHERNET + _HEADER[family] + _LEAST[Protocol.UDP]:
        return None
    packet = frame[_ETHERNET:]
    header, rest = packet[: _HEADER[family]], packet[_HEADER[family] :]
    if family is Family.IPV4:
        if header[0] != _NO_OPTIONS or int.from_bytes(header[6:8], "big") & 0x3FFF:
            return None
        length = int.from_bytes(header[2:4], "big") - _HEADER[family]
        number, source, destination = header[9], header[12:16], header[16:20]
    else:
        length = int.from_bytes(header[4:6], "big")
        number, source, destination = header[6], header[8:24], header[24:40]
    protocol = _PROTOCOLS.get(number)
    if protocol is None or length < _LEAST[protocol]:
        return None
    numbers = [int.from_bytes(each, "big") for each in (source, destination, rest[:2], rest[2:4])]
    return Seen(family, protocol, *numbers)
