"""One flow that the kernel's connection tracking knows."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from geofence.model.prefixes import AddressSpace, Family, address_text
from geofence.translation import tr
from geofence.verdict import UNKNOWN_HELPER, Packet


class FlowState(StrEnum):
    """What conntrack says of a packet."""

    NEW = "new"
    ESTABLISHED = "established"
    RELATED = "related"


class Flow(NamedTuple):
    """One flow as the other end's packets arrive, before destination NAT.

    That is what the fence sees, so ``port`` is the public one where Docker or a rule redirects it.
    """

    family: Family
    protocol: str
    """``udp`` or ``tcp``."""
    source: int
    source_port: int
    destination: int
    port: int
    """Destination port."""
    inbound: bool
    """Begun elsewhere, to an address of this host."""
    state: FlowState
    """What the next packet of the source would be: NEW as long as nobody answered."""
    expected: bool = False
    """Announced by another flow (RTP by SIP, where a helper is at work): its first packet was
    RELATED."""
    assured: bool = False
    """Traffic went both ways for longer than a scan: UDP for two seconds, TCP after its handshake
    (``IPS_ASSURED``)."""
    closing: bool = False
    """TCP that has begun to end."""
    zone: int = 0
    """Conntrack zone of the original direction."""
    ident: bytes = b""
    """The entry's ``CTA_ID``, by which a later flow of the same addresses is told from this."""
    reply: bytes = b""
    """The tuple of the replies as the kernel packs it, where it is another than the original one
    turned round: NAT makes it so, and ``cut``."""
    begun_here: bool = False
    """Begun by this host, or by a machine behind it that it hides by source NAT."""
    original: bytes = b""
    """The tuple of the original direction as the kernel packs it, where this host has begun the
    flow and NAT changes it."""
    admitted: bool = False
    """Carries the fence's mark: its packets pass whatever the sets hold."""
    marked: bool = False
    """Carries the fence's mark of a flow that was begun here: what comes in counts as replies."""
    severed: bool = False
    """Not a flow but what ``cut`` left in its place, so that this host cannot reopen it."""
    interface: str = ""
    """Where this host sends what it answers, and so where the source is; empty where that was not
    asked (see ``interfaces.with_interfaces``) or no route leads there."""

    @property
    def live(self) -> bool:
        """Whether both ends are talking now."""
        return self.assured and not self.closing and self.state is FlowState.ESTABLISHED

    @property
    def opening(self) -> Packet:
        """The packet that would open this flow anew."""
        helper = UNKNOWN_HELPER if self.expected else ""
        by = self.interface
        return Packet(
            self.family, self.protocol, self.source, self.port, interface=by, helper=helper
        )

    def __str__(self) -> str:
        source = address_text(self.family, self.source)
        return tr(
            "{source} port {source_port} to {port}/{protocol}",
            source=source,
            source_port=self.source_port,
            port=self.port,
            protocol=self.protocol,
        )


def from_sources(flows: Iterable[Flow], space: AddressSpace) -> tuple[Flow, ...]:
    """Return the flows whose source is in the address space."""
    return tuple(flow for flow in flows if flow.source in space[flow.family])


def from_elsewhere(flows: Iterable[Flow], space: AddressSpace) -> tuple[Flow, ...]:
    """Return the flows whose source is not in the address space."""
    return tuple(flow for flow in flows if flow.source not in space[flow.family])
