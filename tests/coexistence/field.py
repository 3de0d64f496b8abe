"""Who gets where: everybody, at every kind of port, with and without the fence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from geofence.model.ruleset import Action
from geofence.verdict import decide
from tests.behaviour.fence import Fence
from tests.behaviour.scene import RULESET, Role, packet, probe

Target = tuple[Transport, int]

OPEN_SIP = [(Transport.UDP, 5060), (Transport.TCP, 5060)]
OPEN_RTP = [(Transport.UDP, 10_000), (Transport.UDP, 20_000)]
CLOSED_SIP = [(Transport.TCP, 5061)]
"""Fenced, and not opened by the host's own firewall."""
OPEN_UNFENCED = [(Transport.TCP, 22), (Transport.ICMP, 0)]
CLOSED_UNFENCED = [(Transport.UDP, 9_999), (Transport.UDP, 20_001), (Transport.TCP, 8080)]

OPEN = OPEN_SIP + OPEN_RTP + OPEN_UNFENCED
"""What the host's own firewall lets everybody reach, where the test sets one up."""
TARGETS = (*OPEN, *CLOSED_SIP, *CLOSED_UNFENCED)

DELIVERED_AT = {7000: 5060}
"""Ports that Docker publishes and leads to another one."""

Landings = dict[tuple[Role, Family, Target], str | None]
"""On which host each packet got in, or None."""


def reach(fence: Fence, aimed_at: Sequence[Target] = TARGETS) -> Landings:
    """Send everything and see what gets in."""
    probes = _probes(aimed_at)
    return dict(zip(probes, fence.lab.fire(probes.values()), strict=True))


def fenced(without: Landings) -> Landings:
    """What is to get in behind the fence, given what gets in without it.

    The fence opens nothing: what is not let in without it is not let in with it.
    """
    probes = _probes(targets(without))
    return {
        key: landed if _passes(probes[key], key[1], landed) else None
        for key, landed in without.items()
    }


def everybody(landings: Landings, host: str | None = "pbx") -> list[Target]:
    """The targets that every source reaches, on that host."""
    return [
        target
        for target in targets(landings)
        if all(landed == host for key, landed in landings.items() if key[2] == target)
    ]


def targets(landings: Landings) -> list[Target]:
    """What was sent at."""
    return list(dict.fromkeys(target for _, _, target in landings))


def _probes(aimed_at: Sequence[Target]) -> dict[tuple[Role, Family, Target], Probe]:
    return {
        (role, family, target): probe(role, family, *target)
        for role in Role
        for family in Family
        for target in aimed_at
    }


def _passes(sent: Probe, family: Family, landed: str | None) -> bool:
    """Whether the fence lets it pass; it asks about the port that NAT leads to as well."""
    delivered = DELIVERED_AT.get(sent.port) if landed == "container" else None
    met = replace(packet(sent, family), delivered_port=delivered)
    return decide(RULESET, met).action is Action.PASS
