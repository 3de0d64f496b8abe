"""Live connections with fenced services, and who began them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from geofence.flows.flow import Flow, FlowState
from geofence.flows.impact import (
    Touched,
    TouchedSource,
    begun_from_fenced_ports,
    by_source,
    impact,
)
from geofence.model.frozen import dataclass, replace
from geofence.model.policy import Ports, Protocol
from geofence.model.ruleset import Action, Ruleset
from geofence.plan.observed_ruleset import Held, decide_now


class Began(StrEnum):
    """Who sent the first packet of a connection."""

    PEER = "peer"
    """The other end."""
    HOST = "host"
    """This host, or a machine behind it."""


class Connections(NamedTuple):
    """Connections of one address that are alike."""

    service: str
    began: Began
    passes: bool
    """Whether the fence passes what the other end sends in them now."""
    begins: bool
    """Whether the fence would allow the other end to begin them now."""
    number: int


@dataclass(frozen=True, slots=True)
class Fenced:
    """A service's name and ports."""

    name: str
    ports: tuple[Ports, ...]


def connections(
    flows: Iterable[Flow], services: Iterable[Fenced], fences: Sequence[Held]
) -> tuple[Connections, ...]:
    """Return the live connections with services, counted by what they have in common.

    Args:
        flows: as the kernel knows them, of one address or several.
        services: those that count.
        fences: what the kernel holds.
    """
    known = tuple(services)
    counts: Counter[tuple[str, Began, bool, bool]] = Counter()
    for flow in flows:
        service = _service(flow, known)
        if service and not flow.severed and (flow.inbound or flow.begun_here):
            began = Began.HOST if flow.begun_here else Began.PEER
            counts[service, began, passes(flow, fences), _begins(flow, fences)] += 1
    return tuple(Connections(*alike, number) for alike, number in sorted(counts.items()))


def passes(flow: Flow, fences: Iterable[Held]) -> bool:
    """Whether the fence passes the next packet that the other end sends in a connection."""
    packet = replace(flow.opening, reply=flow.begun_here, admitted=flow.admitted)
    return decide_now(fences, packet)[0].action is Action.PASS


def _begins(flow: Flow, fences: Iterable[Held]) -> bool:
    return decide_now(fences, flow.opening)[0].action is Action.PASS


def _service(flow: Flow, services: Iterable[Fenced]) -> str:
    protocol = Protocol(flow.protocol)
    for service in services:
        if any(each.protocol is protocol and flow.port in each for each in service.ports):
            return service.name
    return ""


def outliving(ruleset: Ruleset, flows: Iterable[Flow]) -> tuple[TouchedSource, ...]:
    """Return whose connections go on although the ruleset would not let them begin now."""
    denied = impact(None, ruleset, flows).denied
    return by_source(touched for touched in denied if touched.flow.admitted)


def unnamed_peers(ruleset: Ruleset, flows: Iterable[Flow]) -> tuple[TouchedSource, ...]:
    """Return the peers that this host contacts from fenced ports and that no rule allows.

    They may answer, and call in while the connection lasts. After a silence that is too long for
    connection tracking their calls are dropped. Media are left out: theirs end with the call.
    """
    services = [
        Fenced(service.name, service.ports)
        for service in ruleset.services
        if service.replies and not any(_is_media(ports) for ports in service.ports)
    ]
    begun = begun_from_fenced_ports(ruleset, flows)
    answered = ((flow, _service(flow, services)) for flow in begun if flow.state is not _NEW)
    return by_source(Touched(flow, service) for flow, service in answered if service)


_NEW = FlowState.NEW
_MEDIA_PORTS = 100
"""A range of so many ports is for media: each call has its own."""


def _is_media(ports: Ports) -> bool:
    return ports.last - ports.first >= _MEDIA_PORTS
