"""What is common to the tests of targets: fences, packets, and what a step may do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from random import Random

from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.ruleset import Action, Role, Ruleset
from geofence.model.target import Target, TargetKind
from geofence.targets.fence import ClusterFence, FenceGroup, ServicePorts
from geofence.targets.interface import Judge
from geofence.targets.objects import ClusterObject, ObjectKey, Request, Verb
from geofence.verdict import Packet, decide
from tests.oracle.policies import random_ruleset
from tests.support.values import space

TARGET = Target("pbx", TargetKind.NETWORKPOLICY, "pbx", (("app", "asterisk"),))
SIP = ServicePorts("sip", (Ports(Protocol.UDP, 5060, 5060), Ports(Protocol.TCP, 5060, 5061)))
RTP = ServicePorts("rtp", (Ports(Protocol.UDP, 10_000, 20_000),))
IAX = ServicePorts("iax", (Ports(Protocol.UDP, 4569, 4569),))

FENCE = ClusterFence(
    (
        FenceGroup(
            (SIP, RTP),
            excepted=space("203.0.113.0/24", "2001:db8:1::/48"),
            banned=space("1.0.16.9/32"),
            allowed=space("1.0.16.0/20", "2001:200::/32") - space("1.0.16.9/32"),
        ),
        FenceGroup((IAX,), allowed=space("1.0.16.0/22")),
    )
)
"""A small fence with all kinds of sources, for golden files."""


def seeded(seed: int) -> Random:
    """Dice that fall the same each time."""
    return Random(seed)  # noqa: S311 - reproducible, not secret


def outside(ruleset: Ruleset) -> Ruleset:
    """A ruleset as packets from elsewhere meet it: no network is local."""
    return replace(ruleset, local=())


def random_rulesets(seed: int, number: int, most: int = 2_000) -> Iterator[Ruleset]:
    """Rulesets of any shape with at most so many prefixes, bans and exceptions for a time too."""
    dice = seeded(seed)
    while number:
        found = outside(random_ruleset(dice))
        if sum(content.prefix_count for content in found.sets.values()) <= most:
            number -= 1
            yield found


def spaces_of(ruleset: Ruleset) -> list[AddressSpace]:
    """All sets that decide new connections."""
    roles = (Role.EXCEPTION, Role.TIMED, Role.ALLOW, Role.BAN)
    keys = [key for key in (*ruleset.sets, *ruleset.runtime) if key.role in roles]
    return [AddressSpace(**{key.family.value: ruleset.held(key)}) for key in keys]


def edges(spaces: Iterable[AddressSpace]) -> list[tuple[Family, int]]:
    """The first and last address of every interval, and their neighbours outside."""
    found = {
        (family, at)
        for each in spaces
        for family in Family
        for bound in each[family].bounds
        for at in (bound - 1, bound)
        if 0 <= at < 1 << family.bits
    }
    return sorted(found)


def ports_around(ports: Iterable[Ports]) -> list[tuple[str, int]]:
    """The first and last port of every range, and their neighbours outside."""
    found = {
        (protocol.value, at)
        for each in ports
        for protocol in Protocol
        for at in (each.first - 1, each.first, each.last, each.last + 1)
        if 0 < at <= 65_535
    }
    return sorted(found)


def packets(
    dice: Random, sources: list[tuple[Family, int]], ports: list[tuple[str, int]], number: int
) -> Iterator[Packet]:
    """Packets from edges of sets and from anywhere, to edges of ranges and anywhere."""
    for _ in range(number):
        family = dice.choice(list(Family))
        anywhere = (family, dice.getrandbits(family.bits))
        family, source = dice.choice(sources) if sources and dice.random() < 0.7 else anywhere
        protocol, port = (
            dice.choice(ports)
            if ports and dice.random() < 0.8
            else (
                dice.choice(("udp", "tcp", "sctp")),
                dice.randint(1, 65_535),
            )
        )
        yield Packet(family, protocol, source, port)


def passes(ruleset: Ruleset, packet: Packet) -> bool:
    """What the packet path does with it."""
    return decide(ruleset, packet).action is Action.PASS


def after_each(
    before: Iterable[ClusterObject], requests: Iterable[Request]
) -> Iterator[tuple[ClusterObject, ...]]:
    """What a cluster holds after each request."""
    held: dict[ObjectKey, ClusterObject] = {each.key: each for each in before}
    for verb, found in requests:
        if verb is Verb.APPLY:
            held[found.key] = found
        else:
            del held[found.key]
        yield tuple(held.values())


def check_between(old: Judge, new: Judge, now: Judge, asked: Iterable[Packet]) -> None:
    """Nothing is open that neither side opens, and nothing shut that both open."""
    for packet in asked:
        sides = {old(packet), new(packet)}
        assert now(packet) in sides, packet
