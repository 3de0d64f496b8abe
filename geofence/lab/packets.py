"""Packets as bytes: what a probe looks like on the wire, down to its checksums.

Sources: RFC 791 (IPv4), RFC 768 (UDP), RFC 9293 (TCP), RFC 792 and RFC 4443 (ICMP), RFC 8200
(IPv6), RFC 1071 (checksum).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

TTL = 64
TCP_MARK = 0x6766
"""Urgent pointer of the lab's segments: elsewhere 0, and without the flag URG it means nothing."""


class Number(IntEnum):
    """Protocol numbers, as in the headers of either family (IANA)."""

    ICMP = 1
    TCP = 6
    UDP = 17
    ICMPV6 = 58


class Tcp(IntFlag):
    """Flags of a TCP segment; none at all is a flagless probe."""

    NONE = 0
    FIN = 1
    SYN = 2
    RST = 4
    ACK = 16


@dataclass(frozen=True, slots=True)
class Path:
    """From where to where a packet claims to go; both addresses are of one family."""

    source: Address
    destination: Address

    @property
    def addresses(self) -> bytes:
        """Both, as they stand in a header."""
        return self.source.packed + self.destination.packed


@dataclass(frozen=True, slots=True)
class Segment:
    """What an IP packet carries."""

    protocol: int
    body: bytes


def checksum(data: bytes) -> int:
    """Return the Internet checksum of the data."""
    padded = data + b"\0" if len(data) % 2 else data
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:  # noqa: PLR2004 - carries go around (RFC 1071)
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _sealed(path: Path, protocol: int, body: bytes, at: int) -> Segment:
    """Return the body with its checksum, over the pseudo-header too, written at an offset."""
    pseudo = path.addresses + struct.pack("!II", len(body), protocol)
    value = checksum(pseudo + body) or 0xFFFF
    return Segment(protocol, body[:at] + struct.pack("!H", value) + body[at + 2 :])


def udp(path: Path, source_port: int, port: int, payload: bytes) -> Segment:
    """Return a UDP datagram."""
    header = struct.pack("!HHHH", source_port, port, 8 + len(payload), 0)
    return _sealed(path, Number.UDP, header + payload, 6)


def tcp(path: Path, source_port: int, port: int, sequence: int, flags: Tcp = Tcp.SYN) -> Segment:
    """Return a TCP segment without data, marked as the lab's."""
    acknowledged = 1 if flags & Tcp.ACK else 0
    offset_and_flags = 5 << 12 | flags
    header = struct.pack(
        "!HHIIHHHH", source_port, port, sequence, acknowledged, offset_and_flags, 65535, 0, TCP_MARK
    )
    return _sealed(path, Number.TCP, header, 16)


def echo(path: Path, payload: bytes) -> Segment:
    """Return an echo request: ping."""
    kind = 8 if path.source.version == 4 else 128  # noqa: PLR2004 - RFC 792, RFC 4443
    return icmp(path, struct.pack("!BBHHH", kind, 0, 0, 1, 1) + payload)


def icmp(path: Path, body: bytes) -> Segment:
    """Return an ICMP message of the path's family, with its checksum."""
    if path.source.version == 6:  # noqa: PLR2004 - an IP version
        return _sealed(path, Number.ICMPV6, body, 2)
    return Segment(Number.ICMP, body[:2] + struct.pack("!H", checksum(body)) + body[4:])


def ip_packet(path: Path, segment: Segment, ident: int = 0) -> bytes:
    """Return the IP packet that carries a segment.

    Args:
        path: the addresses.
        segment: what is carried.
        ident: identification of an IPv4 packet; 16 bits of it are used.
    """
    size = len(segment.body)
    if path.source.version == 6:  # noqa: PLR2004 - an IP version
        start = struct.pack("!IHBB", 0x60000000, size, segment.protocol, TTL)
        return start + path.addresses + segment.body
    fixed = struct.pack(
        "!BBHHHBBH", 0x45, 0, 20 + size, ident & 0xFFFF, 0, TTL, segment.protocol, 0
    )
    header = fixed + path.addresses
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + segment.body
