"""Ethernet frames at the borders of what the shield looks at."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.shield.design import Design, ShieldedService

OWN = {
    Family.IPV4: (int(ip_address("198.51.100.10")), int(ip_address("198.51.100.77"))),
    Family.IPV6: (int(ip_address("2001:db8:100::10")), int(ip_address("fe80::ff:fe00:11"))),
}
TYPES = {Family.IPV4: b"\x08\x00", Family.IPV6: b"\x86\xdd"}
NUMBERS = (17, 6)


@dataclass(frozen=True)
class Frame:
    """The fields of a frame."""

    family: Family
    source: int
    destination: int
    source_port: int = 40_000
    port: int = 5060
    protocol: int = 17
    first: int = 0x45
    fragment: int = 0
    short_by: int = 0
    """Bytes that the length says less than there are."""
    payload: int = 20
    kind: bytes = b""
    """The type of the frame; empty: that of its family."""
    to: bytes = bytes(6)
    """The hardware address; that of a loopback is zero."""
    cut: int | None = None

    def built(self) -> bytes:
        """The frame."""
        size = self.family.bits // 8
        addresses = self.source.to_bytes(size, "big") + self.destination.to_bytes(size, "big")
        ports = self.source_port.to_bytes(2, "big") + self.port.to_bytes(2, "big")
        body = ports + bytes(4 + self.payload)
        if self.family is Family.IPV4:
            length = max(0, 20 + len(body) - self.short_by).to_bytes(2, "big")
            head = bytes((self.first, 0)) + length + bytes(2) + self.fragment.to_bytes(2, "big")
            head += bytes((64, self.protocol, 0, 0))
        else:
            length = max(0, len(body) - self.short_by).to_bytes(2, "big")
            head = bytes((0x60, 0, 0, 0)) + length + bytes((self.protocol, 64))
        frame = self.to + bytes(6) + (self.kind or TYPES[self.family]) + head + addresses + body
        return frame[: self.cut]


def _near(numbers: list[int], most: int) -> SearchStrategy[int]:
    """Numbers at and beside some, and any."""
    edges = sorted({each for n in numbers for each in (n - 1, n, n + 1) if 0 <= each <= most})
    return (
        st.one_of(st.sampled_from(edges), st.integers(0, most)) if edges else st.integers(0, most)
    )


@st.composite
def prefixes(draw: st.DrawFn, family: Family) -> Prefix:
    """Prefixes of any length, many in a few /16 networks."""
    length = draw(st.integers(0 if draw(st.integers(0, 30)) == 0 else 6, family.bits))
    head = draw(st.sampled_from((0x0102, 0x0103, 0x2001, 0xFFFF, 0)))
    rest = draw(st.integers(0, (1 << (family.bits - 16)) - 1))
    number = head << (family.bits - 16) | rest
    return Prefix(family, number >> (family.bits - length) << (family.bits - length), length)


@st.composite
def spaces(draw: st.DrawFn) -> AddressSpace:
    """Some prefixes of both families."""
    some = [draw(st.lists(prefixes(family), max_size=8)) for family in Family]
    return AddressSpace.of(prefix for each in some for prefix in each)


@st.composite
def designs(draw: st.DrawFn) -> Design:
    """Shields of one to three services."""
    cuts = sorted(draw(st.sets(st.integers(1, 65_535), min_size=2, max_size=8)))
    pieces = list(zip(cuts[::2], cuts[1::2], strict=False))
    services: dict[str, list[Ports]] = {}
    for first, last in pieces:
        name = draw(st.sampled_from(("sip", "rtp", "iax")))
        for protocol in draw(st.sets(st.sampled_from(Protocol), min_size=1)):
            services.setdefault(name, []).append(Ports(protocol, first, last - 1))
    own = {family: draw(st.sampled_from((OWN[family], OWN[family][:1], ()))) for family in Family}
    assume(any(own.values()))
    made = tuple(ShieldedService(name, tuple(ports)) for name, ports in services.items())
    return Design(made, (), own, draw(spaces()))


@st.composite
def frames(draw: st.DrawFn, made: Design) -> Frame:
    """Frames that the shield drops, mostly, and such as differ from them in a field or two."""
    family = draw(st.sampled_from(Family))
    edges = list(made.allowed[family].bounds[:40])
    ends = [end for each in made.services for p in each.ports for end in (p.first, p.last)]
    odd = draw(st.sets(st.sampled_from(range(8)), max_size=2))
    return Frame(
        family,
        draw(_near(edges, (1 << family.bits) - 1)),
        OWN[family][0] if 0 not in odd else draw(_near(list(OWN[family]), (1 << family.bits) - 1)),
        draw(st.integers(0, 65_535)),
        draw(_near(ends, 65_535)),
        draw(st.sampled_from(NUMBERS) if 1 not in odd else st.integers(0, 255)),
        0x45 if 2 not in odd else draw(st.integers(0, 255)),
        0 if 3 not in odd else draw(st.sampled_from((0x2000, 0x4000, 0x8000, 1, 0x1FFF, 0xFFFF))),
        0 if 4 not in odd else draw(st.integers(0, 60)),
        draw(st.sampled_from((0, 12, 20))),
        b"" if 5 not in odd else draw(st.sampled_from((b"\x81\x00", b"\x88\xa8", b"\x08\x06"))),
        bytes(6) if 6 not in odd else draw(st.sampled_from((b"\2" + bytes(5), b"\xff" * 6))),
        None if 7 not in odd else draw(st.integers(54, 75)),
    )
