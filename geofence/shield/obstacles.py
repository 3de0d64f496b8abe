"""Why a shield is not up on a host, and on which interfaces it is. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from geofence.model.prefixes import Prefix
from geofence.model.ruleset import Ruleset
from geofence.model.shield import ShieldReason, Why
from geofence.shield.design import Design
from geofence.shield.surroundings import Surroundings

ETHERNET = 1
"""``ARPHRD_ETHER``."""
_KINDS = ("", "veth")
"""Kinds of interfaces that were tried: hardware, and the end of a container's cable."""
MARKS = tuple(1 << bit for bit in (30, 29, 28, 27, 26, 25, 24, 23, 22, 21))
"""Bits of the mark that the audit may use, the first that is free."""
_SHOWN = 3


class Port(NamedTuple):
    """An interface, as far as the shield asks."""

    number: int
    """Its index."""
    name: str
    link_type: int = ETHERNET
    kind: str = ""
    master: int = 0
    default_route: bool = True


class HostFacts(NamedTuple):
    """What of a host matters to the shield."""

    ports: tuple[Port, ...] = ()
    addresses: tuple[Prefix, ...] = ()
    """This host's, by the table ``local``."""
    local_first: bool = True
    """Whether the first routing rule of both families looks up that table, for all packets."""
    route_marks: int = 0
    """Bits of the mark that routing rules ask for."""
    expectations: int = 0
    """Connections that helpers have announced."""
    around: Surroundings = Surroundings()


def obstacles(ruleset: Ruleset, made: Design, facts: HostFacts) -> tuple[ShieldReason, ...]:
    """Return why the shield is not up; nothing if it can be."""
    return tuple(dict.fromkeys(_obstacles(ruleset, made, facts)))


def _obstacles(ruleset: Ruleset, made: Design, facts: HostFacts) -> Iterator[ShieldReason]:
    around = facts.around
    if not made.services:
        yield from (ShieldReason(left.why, left.service) for left in made.left_out)
        if not made.left_out:
            yield ShieldReason(Why.NO_SERVICE)
    yield from (ShieldReason(Why.ZONES, each) for each in around.zones[:_SHOWN])
    yield from (ShieldReason(Why.HELPERS, each) for each in around.helpers[:_SHOWN])
    if facts.expectations:
        yield ShieldReason(Why.HELPERS, str(facts.expectations))
    yield from (ShieldReason(Why.MARKS, each) for each in around.overwriting[:_SHOWN])
    if free_mark(facts) is None:
        yield ShieldReason(Why.MARKS)
    if not facts.local_first:
        yield ShieldReason(Why.ROUTING)
    if not interfaces(ruleset, facts):
        yield from _passed_over(facts)
    if not any(made.addresses.values()):
        yield ShieldReason(Why.NO_ADDRESS)


def free_mark(facts: HostFacts) -> int | None:
    """Return a bit of the mark that nobody uses."""
    return next((each for each in MARKS if not each & used_marks(facts)), None)


def used_marks(facts: HostFacts) -> int:
    """Return the bits of the mark that others use."""
    return facts.route_marks | facts.around.mark_bits


def interfaces(ruleset: Ruleset, facts: HostFacts) -> tuple[Port, ...]:
    """Return the interfaces on which the shield is.

    They have a default route, are Ethernet, belong to no bridge, bond or VRF, and are none
    themselves; those that the rules trust have no fence, either.
    """
    return tuple(port for port in facts.ports if port.default_route and _suits(ruleset, port))


def _suits(ruleset: Ruleset, port: Port) -> bool:
    plain = port.link_type == ETHERNET and port.kind in _KINDS and not port.master
    return plain and not any(_is_called(port.name, each) for each in ruleset.interfaces)


def _is_called(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _passed_over(facts: HostFacts) -> Iterator[ShieldReason]:
    names = [port.name for port in facts.ports if port.default_route]
    yield from (ShieldReason(Why.NO_INTERFACE, name) for name in names or ("",))
