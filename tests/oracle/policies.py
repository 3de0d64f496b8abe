"""Random policies and lists, with the awkward ones likelier than life makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import TypeVar

from geofence.lab.network import UNFENCED_PORT
from geofence.merge import merge
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import (
    Blocklist,
    NamedException,
    Policy,
    Ports,
    Protocol,
    RepliesFrom,
    Service,
)
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet
from geofence.model.ruleset import NOTED_ROLES, LocalNetwork, Ruleset, SetKey

COUNTRIES = ("AA", "BB", "CC")
ASNS = (4713, 2914)
SERVICES = ("sip", "rtp", "iax", "turn")
INTERFACES = ("lo", "tun*", "tun0", "tun1", "wan0", "docker0")
LINKS = ("wan", "tun0", "tun*", "docker0", "eth9")
NETWORKS = (
    Prefix(Family.IPV4, 0x0A080000, 24),
    Prefix(Family.IPV4, 0x0A000000, 8),
    Prefix(Family.IPV4, 0xAC110000, 16),
    Prefix(Family.IPV4, 0xC0A80100, 24),
    Prefix(Family.IPV6, 0xFD00_0008 << 96, 64),
    Prefix(Family.IPV6, 0xFD << 120, 8),
)
_LAST_PORT = 65_535
_WITH_ASNS = 0.3
"""Share of policies and services that name AS numbers."""
_T = TypeVar("_T")

_PLACES = {Family.IPV4: 0, Family.IPV6: 0x2000 << 112}
"""Where random prefixes begin: IPv6 is crowded into global unicast space."""
_SPACES = {Family.IPV4: 32, Family.IPV6: 125}
"""Bits that vary from there."""


def random_prefix(dice: Random, family: Family, shortest: int) -> Prefix:
    """A prefix of random length, longer ones likelier, host routes too."""
    span = _SPACES[family]
    fixed = family.bits - span
    length = max(dice.randint(shortest, span), dice.randint(shortest, span))
    network = dice.getrandbits(span) >> (span - length) << (span - length)
    return Prefix(family, _PLACES[family] + network, fixed + length)


def random_space(dice: Random, most: int, shortest: int = 8) -> AddressSpace:
    """Prefixes of both families, some next to each other; sometimes none of a family."""
    prefixes: list[Prefix] = []
    for family in Family:
        for _ in range(dice.choice((0, 1, most // 10, most))):
            prefix = random_prefix(dice, family, shortest)
            prefixes.append(prefix)
            if dice.random() < 0.2 and prefix.past < _PLACES[family] + (1 << _SPACES[family]):
                prefixes.append(Prefix(family, prefix.past, family.bits))
    return AddressSpace.of(prefixes)


@dataclass(frozen=True, slots=True)
class World:
    """Rules and lists, and the ruleset that they make."""

    policy: Policy
    lists: Mapping[ListId, AddressSpace]
    ruleset: Ruleset


def random_ruleset(dice: Random) -> Ruleset:
    """Any policy's ruleset, with bans and exceptions for a time."""
    return random_world(dice).ruleset


def random_world(dice: Random) -> World:
    """Any policy, and its ruleset with bans and exceptions for a time."""
    lists = {ListId(ListKind.COUNTRY, code): random_list(dice) for code in COUNTRIES}
    lists |= {ListId(ListKind.ASN, str(number)): random_list(dice) for number in ASNS}
    policy = random_policy(dice)
    ruleset = replace(merge(policy, lists), local=random_local(dice))
    return World(policy, lists, replace(ruleset, runtime=_random_runtime(dice, ruleset)))


def _random_runtime(dice: Random, ruleset: Ruleset) -> dict[SetKey, PrefixSet]:
    """Contents of the sets that people and programs fill; some in what other sets hold."""
    spaces = [random_space(dice, 40) for _ in range(3)]
    inside = [content for content in ruleset.sets.values() if content]
    found: dict[SetKey, PrefixSet] = {}
    for key in ruleset.runtime_keys:
        if key.role not in NOTED_ROLES:
            own = [each for each in inside if each.family is key.family]
            content = dice.choice(spaces)[key.family]
            if own and dice.random() < 0.5:
                content |= _part_of(dice, dice.choice(own))
            found[key] = content
    return found


def _part_of(dice: Random, content: PrefixSet) -> PrefixSet:
    """Halves of a few prefixes of a set."""
    prefixes = content.prefixes()
    some = dice.sample(prefixes, min(len(prefixes), 5))
    halves = (each._replace(length=min(each.length + 1, content.family.bits)) for each in some)
    return PrefixSet.of(content.family, halves)


def random_local(dice: Random) -> tuple[LocalNetwork, ...]:
    """Networks that are local on one interface each, real ones and others."""
    count = dice.choice((0, 1, 3, 8))
    found = {LocalNetwork(dice.choice(LINKS), _random_network(dice)) for _ in range(count)}
    return tuple(sorted(found))


def _random_network(dice: Random) -> Prefix:
    if dice.random() < 0.5:
        return dice.choice(NETWORKS)
    return random_prefix(dice, dice.choice(list(Family)), 4)


def random_list(dice: Random) -> AddressSpace:
    """A country's list; now and then half the world, or all of it."""
    return random_space(dice, 300, shortest=dice.choice((8, 8, 8, 1, 0)))


def random_policy(dice: Random) -> Policy:
    """A policy of any shape that the rules allow."""
    services = _random_services(dice)
    names = [service.name for service in services]
    return Policy(
        services=services,
        countries=_some(dice, COUNTRIES),
        asns=_some(dice, ASNS) if dice.random() < _WITH_ASNS else (),
        local=AddressSpace(),
        interfaces=_some(dice, INTERFACES),
        exceptions=tuple(_random_exception(dice, number, names) for number in range(5)),
        blocklists=tuple(_random_blocklist(dice, number) for number in range(dice.randint(0, 3))),
    )


def _some(dice: Random, items: tuple[_T, ...]) -> tuple[_T, ...]:
    return tuple(dice.sample(items, dice.randint(0, len(items))))


def _random_exception(dice: Random, number: int, services: list[str]) -> NamedException:
    return NamedException(
        f"exception-{number}",
        prefixes=random_space(dice, 5),
        services=_some(dice, tuple(services)),
        enabled=dice.random() < 0.7,
    )


def _random_blocklist(dice: Random, number: int) -> Blocklist:
    return Blocklist(f"blocklist-{number}", prefixes=random_space(dice, 100))


def _random_services(dice: Random) -> tuple[Service, ...]:
    """Services that share no port: pieces of the number line, dealt out in turn."""
    names = dice.sample(SERVICES, dice.randint(1, len(SERVICES)))
    pieces: dict[str, list[Ports]] = {name: [] for name in names}
    for protocol in Protocol:
        for ports in _random_pieces(dice, protocol, dice.randint(1, 2 * len(names))):
            pieces[dice.choice(names)].append(ports)
    return tuple(
        Service(
            name,
            tuple(ports),
            _some(dice, COUNTRIES) if dice.random() < 0.5 else None,
            replies_from=dice.choice(
                (RepliesFrom.ANYONE, RepliesFrom.ANYONE, RepliesFrom.EXCEPTIONS)
            ),
            observe=dice.random() < 0.15,
            asns=_some(dice, ASNS) if dice.random() < _WITH_ASNS else None,
        )
        for name, ports in pieces.items()
        if ports
    )


def _random_pieces(dice: Random, protocol: Protocol, count: int) -> list[Ports]:
    """Ranges that do not overlap, though they may touch, beyond the port of the markers."""
    cuts = sorted(dice.sample(range(UNFENCED_PORT + 1, _LAST_PORT + 2), 2 * count))
    ranges = [Ports(protocol, first, past - 1) for first, past in pairwise(cuts)]
    return dice.sample(ranges, count)
