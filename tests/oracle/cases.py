"""Random packets, each with the words in which the oracle is asked about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from random import Random

from geofence.lab import payloads
from geofence.lab.network import CONTAINER, PBX
from geofence.lab.packets import Address, Tcp
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import Ruleset
from geofence.verdict import Packet, Sent
from tests.support.probes import Dress, Extension, unreachable

LOCAL = {
    Family.IPV4: (PBX[Family.IPV4], ip_address("10.8.0.1"), ip_address("172.17.0.1")),
    Family.IPV6: (PBX[Family.IPV6], ip_address("fd00:8::1"), ip_address("fd00:17::1")),
}
"""The addresses of the PBX; a packet may come to any of them by any interface."""

HEARD = {
    Family.IPV4: tuple(map(ip_address, ("198.51.100.255", "224.0.0.1", "255.255.255.255"))),
    Family.IPV6: tuple(map(ip_address, ("ff02::1", "fd00:17::"))),
}
"""Destinations that the PBX hears without their being its own: broadcast, multicast, and the
anycast address of the routers of a network that it forwards to."""

SOURCE_PORTS = (0, 1, 53, 123, 1023, 3478, 5060, 5061, 10_000, 65_535)
FLAGS = (Tcp.SYN, Tcp.SYN, Tcp.ACK, Tcp.SYN | Tcp.ACK, Tcp.RST, Tcp.FIN | Tcp.ACK, Tcp.NONE)
FAMOUS_PORTS = (22, 5060, 5061, 10_000, 20_000)
LAST_PORT = 65_535
PAYLOADS = (payloads.plain, payloads.sip_options, payloads.rtp)
FRAGMENTS = (24, 32, 64, 512, 9_000)
"""From the least that holds all headers, which IPv6 asks of a first fragment (RFC 8200, 5)."""
EXTENSIONS = (
    (Extension.HOP_BY_HOP,),
    (Extension.DESTINATION_OPTIONS,),
    (Extension.HOP_BY_HOP, Extension.DESTINATION_OPTIONS),
    (Extension.DESTINATION_OPTIONS, Extension.DESTINATION_OPTIONS),
)

ROUTED_HERE = {
    Family.IPV4: ip_address("192.0.2.200"),
    Family.IPV6: ip_address("2001:db8:77::200"),
}
"""Addresses that only a ``local`` route of another routing table makes the PBX's."""
TRANSLATED = {
    Family.IPV4: ip_address("203.0.113.77"),
    Family.IPV6: ip_address("2001:db8:77::77"),
}
"""Addresses that are routed to the PBX and are its own by destination NAT alone."""
_BEHIND = {
    "tun0": (ip_network("10.8.0.0/24"), ip_network("fd00:8::/64")),
    "docker0": (ip_network("172.17.0.0/16"), ip_network("fd00:17::/64")),
}
"""Networks that the PBX reaches by another interface than the one to the Internet."""
_BROADCAST = frozenset(
    end
    for network in (ip_network("198.51.100.0/24"), _BEHIND["tun0"][0], _BEHIND["docker0"][0])
    for end in (network.network_address, network.broadcast_address)
)
"""Of the networks that the PBX is in; nobody sends from there."""
_KINDS = (Transport.UDP, Transport.TCP, Transport.ICMP, None)
"""None: an ICMP error about a datagram."""
_ANSWERS = (Transport.UDP, Transport.TCP, None)
_TRACKED_FLAGS = (Tcp.SYN, Tcp.ACK)
"""With which a first TCP segment begins a flow for conntrack; with others it is INVALID."""


def sip_response(token: int) -> bytes:
    """What answers a request (RFC 3261, 7.2): wherever the request's Via says."""
    return b"SIP/2.0 200 OK\r\nContent-Length: 8\r\n\r\n" + payloads.token_text(token)


def sip_notify(token: int) -> bytes:
    """A request within a dialog (RFC 6665): wherever the other end's Contact says."""
    return b"NOTIFY sip:phone@phone.example SIP/2.0\r\n\r\n" + payloads.token_text(token)


@dataclass(frozen=True, slots=True)
class Published:
    """A rule of destination NAT."""

    protocol: str
    port: int
    foreign: bool
    """To ``TRANSLATED`` instead of the PBX's own addresses."""
    target: int
    """The port that it leads to."""
    here: bool
    """By REDIRECT to the PBX itself; else to the container."""

    def changes(self, probe: Probe) -> bool:
        """Whether it gives the packet another destination."""
        family = Family.IPV4 if probe.source.version == 4 else Family.IPV6
        addressed = (TRANSLATED[family],) if self.foreign else _LOCAL_TO_IPTABLES[family]
        named = probe.transport == self.protocol and probe.port == self.port
        return named and probe.destination in addressed and _is_tracked(probe)


_LOCAL_TO_IPTABLES = {
    Family.IPV4: LOCAL[Family.IPV4],
    # There, xt_addrtype asks all routing tables (``match_lookup_rt6``).
    Family.IPV6: (*LOCAL[Family.IPV6], ROUTED_HERE[Family.IPV6]),
}


def _is_tracked(probe: Probe) -> bool:
    return probe.transport is Transport.UDP or probe.flags in _TRACKED_FLAGS


@dataclass(frozen=True, slots=True)
class Case:
    """A packet as it is sent and as the oracle is asked about it."""

    probe: Probe
    packet: Packet


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the PBX sends to somebody, and what comes back."""

    question: Probe
    sent: Sent
    answer: Probe

    def case(self, *, left: bool, begun: bool) -> Case:
        """The answer, in words that depend on whether the question left, and began a flow."""
        error = self.answer.build is unreachable
        words = replace(described(self.answer), reply=begun, answers=left)
        return Case(self.answer, described(self.answer) if error else words)


class Chance:
    """Draws packets that are likely to lie near a ruleset's edges; never the same flow twice."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._used: set[tuple[Address, Address, Transport, int, int | None]] = set()

    def cases(
        self, ruleset: Ruleset, count: int, published: Sequence[Published] = ()
    ) -> Iterator[Case]:
        """So many packets, none of which belongs to a flow."""
        edges = {family: _near(self._dice, ruleset, family) for family in Family}
        drawn = 0
        while drawn < count:
            probe = self._probe(ruleset, edges)
            if published and self._dice.random() < 0.1:
                probe = self._to_published(probe, self._dice.choice(published))
            if self._fresh(probe):
                drawn += 1
                yield Case(probe, described(probe, published))

    def _to_published(self, probe: Probe, target: Published) -> Probe:
        family = Family.IPV4 if probe.source.version == 4 else Family.IPV6
        addresses = (TRANSLATED[family],) if target.foreign else LOCAL[family]
        return replace(
            probe,
            destination=self._dice.choice(addresses),
            transport=Transport(target.protocol),
            build=Dress() if probe.build is unreachable else probe.build,
            port=target.port,
            flags=Tcp.SYN,
        )

    def exchanges(self, ruleset: Ruleset, count: int) -> Iterator[Exchange]:
        """So many packets that the PBX sends, and what comes back; errors about them too."""
        for case in self.cases(ruleset, count):
            family, dressed = case.packet.family, case.probe.build
            transport = self._dice.choice(_ANSWERS)
            whole = Dress() if dressed is unreachable else dressed
            answer = replace(
                case.probe,
                destination=PBX[family],
                transport=transport or Transport.ICMP,
                build=whole if transport else unreachable,
                port=case.probe.port or 5060,
                flags=Tcp.SYN | Tcp.ACK,
                link="wan",
            )
            if self._fresh(answer):
                yield self._exchange(answer, family)

    def _exchange(self, answer: Probe, family: Family) -> Exchange:
        asked = question(answer)
        if asked.transport is Transport.UDP:
            said = (payloads.plain, payloads.sip_options, sip_response, sip_notify)
            asked = replace(asked, payload=self._dice.choice(said))
            begins = asked.payload not in (sip_response, sip_notify)
            stray = asked.payload is sip_response
        else:
            asked = replace(asked, flags=self._dice.choice(_TRACKED_FLAGS))
            begins = asked.flags is Tcp.SYN
            stray = not begins
            answer = answer if begins else replace(answer, flags=Tcp.ACK)
        sent = replace(sent_as(asked, family), begins=begins, stray=stray)
        return Exchange(asked, sent, answer)

    def _fresh(self, probe: Probe) -> bool:
        flow = (
            probe.source, probe.destination, probe.transport, probe.port, probe.source_port
        )  # fmt: skip
        new = flow not in self._used
        self._used.add(flow)
        return new

    def _probe(self, ruleset: Ruleset, edges: Mapping[Family, Sequence[int]]) -> Probe:
        dice = self._dice
        family = dice.choice(list(Family))
        kind = dice.choices(_KINDS, (6, 4, 0.5, 0.5))[0]
        transport = kind or Transport.ICMP
        forwarded = (CONTAINER[family],)
        heard = (*HEARD[family], ROUTED_HERE[family])
        destinations = dice.choices((LOCAL[family], heard, forwarded), (17, 2, 1))[0]
        return Probe(
            source=self._source(family, edges[family]),
            destination=dice.choice(destinations),
            transport=transport,
            port=self._port(transport, ruleset),
            source_port=(
                dice.choice(SOURCE_PORTS) if dice.random() < 0.3 else dice.randint(0, LAST_PORT)
            ),
            payload=dice.choice(PAYLOADS),
            flags=dice.choice(FLAGS),
            build=self._dress(family) if kind else unreachable,
            link="wan" if dice.random() < 0.85 else "tun0",
        )

    def _port(self, transport: Transport, ruleset: Ruleset) -> int:
        """In a fenced range, mostly; at or beside the end of one; famous; any."""
        dice = self._dice
        ranges = [
            ports
            for service in ruleset.services
            for ports in service.ports
            if ports.protocol.value == transport.value
        ]
        if not ranges or dice.random() < 0.2:
            return dice.choice((*FAMOUS_PORTS, dice.randint(0, LAST_PORT)))
        ports = dice.choice(ranges)
        ends = (ports.first - 1, ports.first, ports.last, min(ports.last + 1, LAST_PORT))
        return dice.choice((*ends, ports.first, ports.last, dice.randint(ports.first, ports.last)))

    def _source(self, family: Family, edges: Sequence[int]) -> Address:
        """Near an edge of a set, mostly; only what the kernel takes for a possible source."""
        build = IPv4Address if family is Family.IPV4 else IPv6Address
        while True:
            near = edges and self._dice.random() < 0.6
            number = self._dice.choice(edges) if near else self._dice.getrandbits(family.bits)
            source: Address = build(number)
            if _may_be_source(source):
                return source

    def _dress(self, family: Family) -> Dress:
        dice = self._dice
        if dice.random() < 0.6:
            return Dress()
        fragment = dice.choice((None, *FRAGMENTS))
        if family is Family.IPV4:
            return Dress(options=dice.random() < 0.5, fragment=fragment)
        extensions = dice.choice(((), *EXTENSIONS))
        room = 8 * sum(kind is not Extension.HOP_BY_HOP for kind in extensions)
        return Dress(extensions, fragment=fragment and fragment + room)


def question(answer: Probe) -> Probe:
    """What the PBX sends to begin, or to answer, the flow of a packet to it.

    The sequence number of its SYN is 0, which is what the lab's segments acknowledge.
    """
    return Probe(
        source=answer.destination,
        destination=answer.source,
        transport=Transport.TCP if answer.transport is Transport.TCP else Transport.UDP,
        port=answer.source_port or 0,
        source_port=answer.port,
    )


def sent_as(asked: Probe, family: Family) -> Sent:
    """What the PBX sends, in the oracle's words, if it begins a flow."""
    to = asked.destination
    by = next((link for link, nets in _BEHIND.items() if any(to in net for net in nets)), "wan")
    return Sent(family, str(asked.transport), int(to), asked.source_port, by)


def described(probe: Probe, published: Sequence[Published] = ()) -> Packet:
    """The probe in the oracle's words, if it begins a flow."""
    family = Family.IPV4 if probe.source.version == 4 else Family.IPV6
    has_ports = probe.transport in (Transport.UDP, Transport.TCP)
    changed = next((rule for rule in published if rule.changes(probe)), None)
    return Packet(
        family=family,
        protocol=probe.transport,
        source=int(probe.source),
        port=probe.port if has_ports else None,
        to_this_host=probe.destination != CONTAINER[family],
        interface=probe.link,
        delivered_port=changed.target if changed else None,
    )


def _near(dice: Random, ruleset: Ruleset, family: Family) -> list[int]:
    """First and last of some intervals of every set, those beside them, and some within."""
    numbers: list[int] = []
    for key, content in (*ruleset.sets.items(), *ruleset.runtime.items()):
        if key.family is family:
            for first, past in _some_intervals(dice, content):
                numbers += (first - 1, first, dice.randrange(first, past), past - 1, past)
    for _, prefix in ruleset.local:
        if prefix.family is family:
            numbers += (prefix.network - 1, prefix.network, prefix.past - 1, prefix.past)
            numbers += [dice.randrange(prefix.network, prefix.past) for _ in range(5)]
    return [number for number in numbers if 0 <= number < 1 << family.bits]


def _some_intervals(dice: Random, content: PrefixSet) -> list[tuple[int, int]]:
    intervals = list(content.intervals())
    return dice.sample(intervals, min(len(intervals), 30))


def _may_be_source(source: Address) -> bool:
    """Whether the kernel takes a packet from there at all, fence or none (RFC 1122, RFC 4291)."""
    own = any(source in (*LOCAL[each], CONTAINER[each]) for each in Family) or source in _BROADCAST
    if isinstance(source, IPv4Address):
        return not (own or source.is_loopback or int(source) >> 24 == 0 or int(source) >> 28 >= 14)
    return not own and int(source) >> 120 not in (0x00, 0xFE, 0xFF)
