"""What the readers of single files have found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from geofence.asterisk.addresses import Network
from geofence.asterisk.reading import (
    HostKind,
    Listener,
    PortRange,
    ReadingWarning,
    Server,
    Use,
    WarningKind,
)


class Peer(NamedTuple):
    """A trunk's host, as one object names it; those of several objects are merged later."""

    host: str
    kind: HostKind
    port: int | None
    srv: bool
    use: Use
    network: Network | None
    """None where the host is a name."""
    where: str
    left_out: tuple[str, ...] = ()


@dataclass(slots=True)
class Findings:
    """Lists that grow while files are read."""

    listeners: list[Listener] = field(default_factory=list)
    peers: list[tuple[Peer, str]] = field(default_factory=list)
    """With the object and the option that name each."""
    local_nets: list[Network] = field(default_factory=list)
    external: list[str] = field(default_factory=list)
    own: set[str] = field(default_factory=set)
    """Addresses and names of this host, as far as the configuration tells."""
    families: dict[str, frozenset[int]] = field(default_factory=dict)
    """Of transports that are bound to one address, by name."""
    rtp: PortRange | None = None
    rtp_more: list[PortRange] = field(default_factory=list)
    udptl: PortRange | None = None
    stun: list[Server] = field(default_factory=list)
    turn: list[Server] = field(default_factory=list)
    warnings: list[ReadingWarning] = field(default_factory=list)
    unseen: list[ReadingWarning] = field(default_factory=list)

    def warn(self, kind: WarningKind, where: str, **data: object) -> None:
        """Add a warning."""
        self.warnings.append(ReadingWarning(kind, where, data))

    def unsee(self, kind: WarningKind, where: str, **data: object) -> None:
        """Add what cannot be seen."""
        self.unseen.append(ReadingWarning(kind, where, data))
