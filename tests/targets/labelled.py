"""Fences of small universes, the packets that tell them apart, and clusters between two of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.target import Target, TargetKind
from geofence.targets.fence import ClusterFence, FenceGroup, ServicePorts
from geofence.targets.interface import Engine, Judge
from geofence.targets.objects import ClusterObject, ObjectKey, Request, Verb
from geofence.verdict import Packet
from tests.support.values import prefix_sets, space

SIP = ServicePorts("sip", (Ports(Protocol.UDP, 5060, 5060), Ports(Protocol.TCP, 5060, 5061)))
RTP = ServicePorts("rtp", (Ports(Protocol.UDP, 10000, 20000),))
WEB = ServicePorts("web", (Ports(Protocol.TCP, 443, 443), Ports(Protocol.TCP, 8089, 8089)))
MOVED_SIP = ServicePorts("sip", (Ports(Protocol.UDP, 5060, 5070), Ports(Protocol.TCP, 443, 443)))

PODS = (("app", "asterisk"),)
NODES = (("geofence.io/fence", "pbx-node"),)


def target(kind: TargetKind, *, pods: bool = True, nodes: bool = False) -> Target:
    """A target that fences pods, nodes or both."""
    chosen = Target("pbx", kind, namespace="pbx" if pods else "")
    return replace(chosen, pods=PODS if pods else (), nodes=NODES if nodes else ())


def sides_of(kind: TargetKind) -> tuple[Target, Target]:
    """A target of pods, and one of nodes."""
    return target(kind), target(kind, pods=False, nodes=True)


EXAMPLE = ClusterFence(
    (
        FenceGroup(
            (SIP, WEB),
            excepted=space("203.0.113.0/24", "2001:db8:ffff::/48"),
            banned=space("198.51.100.9/32"),
            allowed=space("1.0.16.0/20", "198.51.100.0/24", "2001:200::/32")
            - space("198.51.100.9/32"),
        ),
        FenceGroup((RTP,), allowed=space("0.0.0.0/0", "::/0")),
    )
)
"""Two groups of services, one of them open to everybody."""
OBSERVING = ClusterFence((*EXAMPLE.groups[:1], replace(EXAMPLE.groups[1], observe=True)))

spaces = st.builds(AddressSpace, prefix_sets(Family.IPV4), prefix_sets(Family.IPV6))


@st.composite
def fences(draw: st.DrawFn, *, observe: bool = True) -> ClusterFence:
    """Fences as ``cluster_fence`` makes them, the empty one included."""
    layouts: list[list[tuple[ServicePorts, ...]]] = [
        [],
        [(SIP, RTP)],
        [(SIP,), (RTP,)],
        [(RTP,), (SIP,)],
        [(SIP, WEB)],
        [(MOVED_SIP,), (RTP,)],
        [(WEB,), (SIP, RTP)],
    ]
    groups = []
    for services in draw(st.sampled_from(layouts)):
        excepted, bans, allowed = draw(spaces), draw(spaces), draw(spaces)
        banned = bans - excepted
        seen = observe and draw(st.booleans())
        groups.append(FenceGroup(services, excepted, banned, allowed - banned, seen))
    return ClusterFence(tuple(groups))


def edges(fences: Iterable[ClusterFence]) -> Mapping[Family, list[int]]:
    """The first and the last address of each part of each set, and their neighbours."""
    found: dict[Family, set[int]] = {family: {0, (1 << family.bits) - 1} for family in Family}
    for fence in fences:
        for group in fence.groups:
            for each in (group.excepted, group.banned, group.allowed):
                for family in Family:
                    bounds = each[family].bounds
                    found[family] |= {bound - 1 for bound in bounds if bound}
                    found[family] |= {bound for bound in bounds if bound < 1 << family.bits}
    return {family: sorted(addresses) for family, addresses in found.items()}


FEW_PORTS = (443, 5060, 5065, 15000)
"""One of each part of the ports of all services."""
PORTS = (1, 442, 443, 5059, 5060, 5061, 5062, 5070, 8089, 9999, 10000, 15000, 20000, 20001, 65535)


def packets(
    addresses: Mapping[Family, Sequence[int]], ports: Sequence[int] = PORTS
) -> Iterator[Packet]:
    """Packets from each address to ports in and around the services."""
    for family, known in addresses.items():
        for source in known:
            for port in ports:
                yield Packet(family, "udp", source, port)
                yield Packet(family, "tcp", source, port)
            yield Packet(family, "icmp", source)


def random_packets(
    addresses: Mapping[Family, Sequence[int]], number: int, seed: int
) -> Iterator[Packet]:
    """Random packets; half of them near an edge."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    for _ in range(number):
        family = chance.choice(list(Family))
        near = chance.choice(addresses[family]) + chance.randint(-2, 2)
        anywhere = chance.getrandbits(family.bits)
        source = near if chance.random() < 0.5 and 0 <= near < 1 << family.bits else anywhere
        port = chance.choice((chance.choice(PORTS), chance.randint(1, 65535)))
        yield Packet(family, chance.choice(("udp", "tcp")), source, port)


@dataclass
class Cluster:
    """The objects of a cluster, without a server."""

    stored: dict[ObjectKey, ClusterObject]

    @classmethod
    def of(cls, objects: Iterable[ClusterObject]) -> Cluster:
        """A cluster with some objects."""
        return cls({each.key: each for each in objects})

    @property
    def objects(self) -> tuple[ClusterObject, ...]:
        """All of them, as a server lists them."""
        return tuple(each for _, each in sorted(self.stored.items()))

    def do(self, request: Request) -> None:
        """Carry out a request."""
        if request.verb is Verb.APPLY:
            self.stored[request.object.key] = request.object
        else:
            del self.stored[request.object.key]


def states(engine: Engine, before: Cluster, after: Iterable[ClusterObject]) -> Iterator[Cluster]:
    """The cluster before, between and after the requests that lead to other objects."""
    wanted = tuple(after)
    now = Cluster(dict(before.stored))
    yield Cluster(dict(now.stored))
    for request in engine.order(before.objects, wanted):
        now.do(request)
        yield Cluster(dict(now.stored))
    assert {each.key: each.text for each in now.objects} == {each.key: each.text for each in wanted}


def unchanged(old: Judge, new: Judge, asked: Iterable[Packet]) -> Sequence[tuple[Packet, bool]]:
    """Packets that pass both fences, or neither."""
    decided = ((packet, old(packet), new(packet)) for packet in asked)
    return [(packet, after) for packet, before, after in decided if before is after]


def wrong(judge: Judge, agreed: Sequence[tuple[Packet, bool]]) -> list[tuple[Packet, bool]]:
    """Packets that pass though neither fence opens, or are dropped though both do."""
    return [(packet, passes) for packet, passes in agreed if judge(packet) is not passes]


def opened(fence: ClusterFence) -> Judge:
    """What a fence says about a packet."""
    return lambda packet: fence.opens(packet.family, packet.protocol, packet.source, packet.port)
