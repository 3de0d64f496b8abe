"""Packets that only tests send, and what only tests ask of the lab."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address, ip_interface

from pyroute2 import IPRoute

from geofence.lab import packets
from geofence.lab.host import Host
from geofence.lab.network import Lab
from geofence.lab.packets import TTL, Address, Path, Segment, checksum
from geofence.lab.payloads import token_text
from geofence.lab.probes import Probe, segment_of
from geofence.lab.stream import Report
from geofence.lab.wiring import add_address
from geofence.model.prefixes import Family

_FRAGMENT_UNIT = 8
"""Bytes that the offset of a fragment counts in, both families."""


class Extension(IntEnum):
    """Headers of IPv6 before the segment, by their protocol numbers (IANA)."""

    HOP_BY_HOP = 0
    FRAGMENT = 44
    DESTINATION_OPTIONS = 60


@dataclass(frozen=True, slots=True)
class Dress:
    """What else is in an IP header; the fence has to look past all of it. Builds a probe so."""

    extensions: tuple[Extension, ...] = ()
    """IPv6: hop-by-hop options and destination options, in order."""
    options: bool = False
    """IPv4: four bytes of options."""
    fragment: int | None = None
    """Greatest size in bytes of a fragment's part of the payload; None for a whole packet.
    Rounded down to a multiple of 8."""

    def __call__(self, probe: Probe, source_port: int, token: int) -> list[bytes]:
        path = Path(probe.source, probe.destination)
        return dressed(path, segment_of(probe, source_port, token), self, token)


def dressed(path: Path, segment: Segment, dress: Dress, ident: int = 0) -> list[bytes]:
    """The IP packets that carry a segment: one, or its fragments in order."""
    build = _ipv4 if path.source.version == 4 else _ipv6
    return build(path, segment, dress, ident)


def _parts(body: bytes, size: int | None) -> list[tuple[int, bytes, bool]]:
    """Offset, bytes and whether more follow."""
    if size is None:
        return [(0, body, False)]
    step = max(size - size % _FRAGMENT_UNIT, _FRAGMENT_UNIT)
    offsets = range(0, len(body), step)
    return [(at, body[at : at + step], at + step < len(body)) for at in offsets]


def _ipv4(path: Path, segment: Segment, dress: Dress, ident: int) -> list[bytes]:
    options = b"\x01\x01\x01\x00" if dress.options else b""
    words = 5 + len(options) // 4
    packets = []
    for at, part, more in _parts(segment.body, dress.fragment):
        total = words * 4 + len(part)
        flags = (0x2000 if more else 0) | at // _FRAGMENT_UNIT
        start = struct.pack(
            "!BBHHHBBH", 0x40 | words, 0, total, ident & 0xFFFF, flags, TTL, segment.protocol, 0
        )
        header = start + path.addresses + options
        packets.append(header[:10] + struct.pack("!H", checksum(header)) + header[12:] + part)
    return packets


def _ipv6(path: Path, segment: Segment, dress: Dress, ident: int) -> list[bytes]:
    """Hop-by-hop options stand before the fragment header, the others in the fragmented part."""
    before: list[Extension] = [kind for kind in dress.extensions if kind is Extension.HOP_BY_HOP]
    within: list[Extension] = [
        kind for kind in dress.extensions if kind is not Extension.HOP_BY_HOP
    ]
    first, body = _chain(within, segment.protocol, segment.body)
    packets = []
    for at, part, more in _parts(body, dress.fragment):
        follows, inner = first, part
        if dress.fragment is not None:
            inner = struct.pack("!BBHI", first, 0, at | more, ident) + part
            follows = Extension.FRAGMENT
        outer, whole = _chain(before, follows, inner)
        start = struct.pack("!IHBB", 0x60000000, len(whole), outer, TTL)
        packets.append(start + path.addresses + whole)
    return packets


def _chain(kinds: list[Extension], follows: int, body: bytes) -> tuple[int, bytes]:
    """Option headers of eight bytes, padded (RFC 8200, 4.2), before a body."""
    for kind in reversed(kinds):
        body = struct.pack("!BBBB4x", follows, 0, 1, 4) + body
        follows = kind
    return follows, body


def unreachable(probe: Probe, source_port: int, token: int) -> list[bytes]:
    """ICMP port unreachable about a datagram that came from the probed port; it quotes that."""
    back = Path(probe.destination, probe.source)
    refused = packets.udp(back, probe.port, source_port, token_text(token))
    quoted = packets.ip_packet(back, refused)
    path = Path(probe.source, probe.destination)
    kind, code = (3, 3) if path.source.version == 4 else (1, 4)
    body = struct.pack("!BBHI", kind, code, 0, 0) + quoted
    return [packets.ip_packet(path, packets.icmp(path, body), token)]


def long_datagram(token: int) -> bytes:
    """More than two Ethernet frames hold: arrives in fragments, as a long INVITE does."""
    return b"x" * 3000 + token_text(token)


def lost(report: Report) -> int:
    """How many packets of a stream did not get in."""
    return report.sent - len(report.arrived)


def send_from_pbx(lab: Lab, probe: Probe) -> bool:
    """Let the PBX itself send a packet; whether its own netfilter let it go.

    Args:
        lab: the network.
        probe: from an address of the PBX, with a source port.
    """
    family = Family.IPV4 if probe.source.version == 4 else Family.IPV6
    with lab.pbx.socket(family.socket_family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        try:
            for packet in probe.build(probe, probe.source_port or 0, 0):
                raw.sendto(packet, (str(probe.destination), 0))
        except PermissionError:  # how the kernel tells a program of a drop in OUTPUT
            return False
    return True


def own(lab: Lab, *addresses: Address) -> None:
    """Make addresses the Internet's own, so that programs on it can use them."""
    give_addresses(lab.internet, *addresses)


def give_addresses(host: Host, *addresses: Address) -> None:
    """Give a host more addresses, as single ones, so that programs on it can bind them."""
    with host.entered(), IPRoute() as netlink:
        index = netlink.link_lookup(ifname="wan")[0]
        for address in addresses:
            add_address(netlink, index, ip_interface(address))


def forget(lab: Lab) -> None:
    """Let the observers forget what they saw, to save memory between rounds."""
    for observer in lab.observers.values():
        with observer._changed:  # noqa: SLF001 - only tests run for hours
            observer._blocks.clear()  # noqa: SLF001


@contextmanager
def segments_to_pbx(lab: Lab, family: Family) -> Iterator[Callable[[], set[tuple[Address, int]]]]:
    """Watch for TCP segments that get in; call the result for the sources of those so far."""
    with lab.pbx.socket(family.socket_family, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        raw.setblocking(False)
        found: set[tuple[Address, int]] = set()

        def seen() -> set[tuple[Address, int]]:
            while True:
                try:
                    data, where = raw.recvfrom(65535)
                except BlockingIOError:
                    return found
                header = (data[0] & 0xF) * 4 if family is Family.IPV4 else 0
                (port,) = struct.unpack_from("!H", data, header)
                found.add((ip_address(where[0].partition("%")[0]), port))

        yield seen
