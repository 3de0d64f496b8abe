from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from geofence.lab import packets
from geofence.lab.packets import Number, Path, Segment
from tests.support.probes import Dress, Extension, dressed

PATHS = st.one_of(
    st.builds(Path, st.ip_addresses(v=4), st.ip_addresses(v=4)),
    st.builds(Path, st.ip_addresses(v=6), st.ip_addresses(v=6)),
)
PORTS = st.integers(0, 65535)
EXTENSIONS = st.lists(
    st.sampled_from((Extension.HOP_BY_HOP, Extension.DESTINATION_OPTIONS)), max_size=3
).map(lambda kinds: tuple(sorted(kinds)))


def pseudo_header(path: Path, segment: Segment) -> bytes:
    addresses = path.source.packed + path.destination.packed
    return addresses + struct.pack("!II", len(segment.body), segment.protocol)


@given(PATHS, PORTS, PORTS, st.binary(max_size=50))
def test_a_datagram_with_its_checksum_sums_to_zero(
    path: Path, source_port: int, port: int, payload: bytes
) -> None:
    segment = packets.udp(path, source_port, port, payload)

    assert packets.checksum(pseudo_header(path, segment) + segment.body) == 0


@given(PATHS, PORTS, PORTS, st.integers(0, 2**32 - 1))
def test_a_segment_with_its_checksum_sums_to_zero(
    path: Path, source_port: int, port: int, sequence: int
) -> None:
    segment = packets.tcp(path, source_port, port, sequence)

    assert packets.checksum(pseudo_header(path, segment) + segment.body) == 0


@given(PATHS, st.binary(max_size=400), st.integers(1, 200), st.booleans(), EXTENSIONS)
def test_fragments_put_together_are_the_segment(
    path: Path, payload: bytes, size: int, options: bool, extensions: tuple[Extension, ...]
) -> None:
    segment = packets.udp(path, 1, 2, payload)
    dress = Dress(extensions, options, fragment=size)

    sent = dressed(path, segment, dress)

    whole = b"".join(part for _, part, _ in sorted(map(_fragment, sent)))
    assert whole.endswith(segment.body)
    assert [more for _, _, more in map(_fragment, sent)] == [True] * (len(sent) - 1) + [False]


@given(st.ip_addresses(v=4), st.booleans(), st.binary(max_size=40))
def test_an_ipv4_header_sums_to_zero(source: IPv4Address, options: bool, payload: bytes) -> None:
    path = Path(source, IPv4Address("192.0.2.1"))

    (packet,) = dressed(path, packets.udp(path, 1, 2, payload), Dress(options=options))

    assert packets.checksum(packet[: (packet[0] & 0xF) * 4]) == 0
    assert struct.unpack_from("!H", packet, 2)[0] == len(packet)


@given(st.ip_addresses(v=6), EXTENSIONS)
def test_extension_headers_lead_to_the_datagram(
    source: IPv6Address, extensions: tuple[Extension, ...]
) -> None:
    path = Path(source, IPv6Address("2001:db8::1"))

    (packet,) = dressed(path, packets.udp(path, 1, 2, b""), Dress(extensions))

    kinds, at, kind = [], 40, packet[6]
    while kind != Number.UDP:
        kinds.append(kind)
        kind, at = packet[at], at + 8
    assert tuple(kinds) == extensions
    assert len(packet) == at + 8


def _fragment(packet: bytes) -> tuple[int, bytes, bool]:
    """Offset in bytes, part and whether more follow."""
    if packet[0] >> 4 == 4:
        field = struct.unpack_from("!H", packet, 6)[0]
        return (field & 0x1FFF) * 8, packet[(packet[0] & 0xF) * 4 :], bool(field & 0x2000)
    at, kind = 40, packet[6]
    while kind != Extension.FRAGMENT:
        kind, at = packet[at], at + 8
    field = struct.unpack_from("!H", packet, at + 2)[0]
    return field & 0xFFF8, packet[at + 8 :], bool(field & 1)


@given(PATHS, st.binary(max_size=50), PORTS)
def test_a_packet_of_the_product_is_one_without_dress(
    path: Path, payload: bytes, ident: int
) -> None:
    segment = packets.udp(path, 1, 2, payload)
    assert [packets.ip_packet(path, segment, ident)] == dressed(path, segment, Dress(), ident)
