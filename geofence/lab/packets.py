"""Packets as bytes: what a probe looks like on the wire, down to its checksums and fragments.

Only what a fence can meet and a socket would not send by itself is here. Sources: RFC 791 (IPv4),
RFC 768 (UDP), RFC 9293 (TCP), RFC 792 and RFC 4443 (ICMP), RFC 8200 (IPv6), RFC 1071 (checksum).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

_TTL = 64
TCP_MARK = 0x6766
"""Urgent pointer of the lab's segments: elsewhere 0, and without the flag URG it means nothing."""
_FRAGMENT_UNIT = 8
"""Octets that the offset of a fragment counts in, both families."""


class Number(IntEnum):
    """Protocol numbers, as in the headers of either family (IANA)."""

    HOP_BY_HOP = 0
    ICMP = 1
    TCP = 6
    UDP = 17
    FRAGMENT = 44
    ICMPV6 = 58
    DESTINATION_OPTIONS = 60


class Tcp(IntFlag):
    """Flags of a TCP segment; none at all is a flagless probe."""

    NONE = 0
    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16


@dataclass(frozen=True, slots=True)
class Path:
    """From where to where a packet claims to go; both addresses are of one family."""

    source: Address
    destination: Address

    @property
    def reverse(self) -> Path:
        """The way an answer takes."""
        return Path(self.destination, self.source)

    @property
    def _pseudo(self) -> bytes:
        return self.source.packed + self.destination.packed


@dataclass(frozen=True, slots=True)
class Segment:
    """What an IP packet carries."""

    protocol: int
    body: bytes


def checksum(data: bytes) -> int:
    """The Internet checksum of the data."""
    padded = data + b"\0" if len(data) % 2 else data
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:  # noqa: PLR2004 - carries go around (RFC 1071)
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _sealed(path: Path, protocol: int, body: bytes, at: int) -> Segment:
    """The body with its checksum, over the pseudo-header too, written at an offset."""
    pseudo = path._pseudo + struct.pack("!II", len(body), protocol)  # noqa: SLF001 - same module
    value = checksum(pseudo + body) or 0xFFFF
    return Segment(protocol, body[:at] + struct.pack("!H", value) + body[at + 2 :])


def udp(path: Path, source_port: int, port: int, payload: bytes) -> Segment:
    """A UDP datagram."""
    header = struct.pack("!HHHH", source_port, port, 8 + len(payload), 0)
    return _sealed(path, Number.UDP, header + payload, 6)


def tcp(path: Path, source_port: int, port: int, sequence: int, flags: Tcp = Tcp.SYN) -> Segment:
    """A TCP segment without data, marked as the lab's."""
    acknowledged = 1 if flags & Tcp.ACK else 0
    offset_and_flags = 5 << 12 | flags
    header = struct.pack(
        "!HHIIHHHH", source_port, port, sequence, acknowledged, offset_and_flags, 65535, 0, TCP_MARK
    )
    return _sealed(path, Number.TCP, header, 16)


def echo(path: Path, payload: bytes) -> Segment:
    """An echo request: ping."""
    kind = 8 if path.source.version == 4 else 128  # noqa: PLR2004 - RFC 792, RFC 4443
    return _icmp(path, struct.pack("!BBHHH", kind, 0, 0, 1, 1) + payload)


def port_unreachable(path: Path, quoted: bytes) -> Segment:
    """The error that a host sends when nothing listens; it quotes the packet that found nothing."""
    kind, code = (3, 3) if path.source.version == 4 else (1, 4)  # noqa: PLR2004 - RFC 792, RFC 4443
    return _icmp(path, struct.pack("!BBHI", kind, code, 0, 0) + quoted)


def _icmp(path: Path, body: bytes) -> Segment:
    if path.source.version == 6:  # noqa: PLR2004 - an IP version
        return _sealed(path, Number.ICMPV6, body, 2)
    return Segment(Number.ICMP, body[:2] + struct.pack("!H", checksum(body)) + body[4:])


@dataclass(frozen=True, slots=True)
class Dress:
    """What else is in an IP header; the fence has to look past all of it."""

    extensions: tuple[Number, ...] = ()
    """IPv6: hop-by-hop options and destination options, in order."""
    options: bool = False
    """IPv4: four octets of options."""
    fragment: int | None = None
    """Greatest size in octets of a fragment's part of the payload; None for a whole packet.
    Rounded down to a multiple of 8."""


PLAIN = Dress()


def wire(path: Path, segment: Segment, dress: Dress = PLAIN, ident: int = 0) -> list[bytes]:
    """The IP packets that carry a segment: one, or its fragments in order.

    Args:
        path: the addresses.
        segment: what is carried.
        dress: fragments, options, extension headers.
        ident: tells one packet's fragments from another's, 16 bits of it in IPv4.
    """
    build = _ipv4 if path.source.version == 4 else _ipv6  # noqa: PLR2004 - an IP version
    return build(path, segment, dress, ident)


def _parts(body: bytes, size: int | None) -> list[tuple[int, bytes, bool]]:
    """Offset, octets and whether more follow."""
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
            "!BBHHHBBH", 0x40 | words, 0, total, ident & 0xFFFF, flags, _TTL, segment.protocol, 0
        )
        header = start + path._pseudo + options  # noqa: SLF001 - same module
        packets.append(header[:10] + struct.pack("!H", checksum(header)) + header[12:] + part)
    return packets


def _ipv6(path: Path, segment: Segment, dress: Dress, ident: int) -> list[bytes]:
    """Hop-by-hop options stand before the fragment header, the others in the fragmented part."""
    before: list[Number] = [kind for kind in dress.extensions if kind is Number.HOP_BY_HOP]
    within: list[Number] = [kind for kind in dress.extensions if kind is not Number.HOP_BY_HOP]
    first, body = _chain(within, segment.protocol, segment.body)
    packets = []
    for at, part, more in _parts(body, dress.fragment):
        follows, inner = first, part
        if dress.fragment is not None:
            inner = struct.pack("!BBHI", first, 0, at | more, ident) + part
            follows = Number.FRAGMENT
        outer, whole = _chain(before, follows, inner)
        start = struct.pack("!IHBB", 0x60000000, len(whole), outer, _TTL)
        packets.append(start + path._pseudo + whole)  # noqa: SLF001 - same module
    return packets


def _chain(kinds: list[Number], follows: int, body: bytes) -> tuple[int, bytes]:
    """Option headers of eight octets, padded (RFC 8200, 4.2), before a body."""
    for kind in reversed(kinds):
        body = struct.pack("!BBBB4x", follows, 0, 1, 4) + body
        follows = kind
    return follows, body
