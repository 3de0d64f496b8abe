"""A private address that most sources share: something in front hides who they are. Pure.

A proxy, a load balancer or a container's port forwarding that masquerades gives every packet its
own address, and to trust that address is to allow everybody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from geofence.flows.flow import Flow
from geofence.geoip.scopes import NOT_ROUTED
from geofence.model.frozen import dataclass
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family, address_text
from geofence.model.ruleset import FencedService
from geofence.translation import tr

FEWEST_FLOWS = 10
"""Flows of one source below which they may be a phone's: it has a registration over two transports
and three calls, each with RTP and RTCP both ways, and seldom more at a time."""
MOST_SHARE = 0.8
"""Share of the flows that no single device has on a PBX with several phones and trunks."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Many flows from one private address."""

    family: Family
    address: int
    flows: int
    """Flows of this source to fenced ports."""
    of: int
    """Flows of all sources to fenced ports."""

    @property
    def share(self) -> float:
        """Part of all flows, from 0 to 1."""
        return self.flows / self.of

    def __str__(self) -> str:
        source = address_text(self.family, self.address)
        return tr(
            "{number} of {all} connections to fenced ports come from {source}, a private address. "
            "Something in front may hide who the sources are, and then the fence cannot tell them "
            "apart.",
            number=self.flows,
            all=self.of,
            source=source,
        )


def crowd(
    services: Iterable[FencedService], flows: Iterable[Flow], *, dropped: int
) -> Crowd | None:
    """Return the private address that most flows to fenced ports come from, or None.

    Args:
        services: what is fenced.
        flows: as the kernel knows them.
        dropped: packets that the fence dropped so far. Where it drops some, it sees sources.
    """
    if dropped:
        return None
    ranges = [ports for service in services for ports in service.ports]
    sources = Counter(
        (flow.family, flow.source) for flow in flows if flow.inbound and _is_to(ranges, flow)
    )
    (source, most), *_ = sources.most_common(1) or [((Family.IPV4, 0), 0)]
    total = sources.total()
    if most < FEWEST_FLOWS or most < MOST_SHARE * total or source[1] not in NOT_ROUTED[source[0]]:
        return None
    return Crowd(*source, most, total)


def _is_to(ranges: Iterable[Ports], flow: Flow) -> bool:
    protocol = Protocol(flow.protocol)
    return any(ports.protocol is protocol and flow.port in ports for ports in ranges)
