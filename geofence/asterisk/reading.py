"""A reading: what the configuration of an Asterisk makes it do on the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from geofence.model.policy import Ports, Protocol


class Use(StrEnum):
    """What a socket that listens is for."""

    SIP = "sip"
    SIPS = "sips"
    """SIP over TLS."""
    HTTP = "http"
    """Asterisk's own web server: WebSockets of browser phones, REST, provisioning."""
    HTTPS = "https"
    IAX = "iax"


class HostKind(StrEnum):
    """How a trunk's host is written."""

    NAME = "name"
    ADDRESS = "address"
    PREFIX = "prefix"


class WarningKind(StrEnum):
    """What a reader has to report. The values are stable: scripts read them."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens, in one protocol."""

    protocol: Protocol
    port: int
    families: frozenset[int]
    """4, 6 or both: ``[::]`` is IPv6 alone for SIP, and both for HTTP and IAX."""
    bind: str
    """The address, as the configuration writes it, without port and brackets."""
    use: Use
    source: str
    """File and section for people: ``pjsip.conf [udp]``."""
    exposed: bool = True
    """Whether other hosts can reach it; False on loopback."""
    certain: bool = True
    """False where Asterisk may have refused the object, for instance by an option that this reader
    does not know and a newer version may."""


@dataclass(frozen=True, slots=True)
class PortRange:
    """A range of UDP ports that carries media."""

    first: int
    last: int
    """The ports that Asterisk may use, in any version: RTCP's port above an even end included."""
    source: str
    families: frozenset[int] = frozenset({4, 6})
    declared: tuple[int, int] | None = None
    """As written; None where nothing is, and Asterisk's own default counts."""
    declared_from_23: tuple[int, int] | None = None
    """What counts from Asterisk 23 on, where that differs from the versions before."""
    needed: bool = True
    """False for fax ports that no endpoint uses."""

    @property
    def ports(self) -> Ports:
        """The same as ports of a service."""
        return Ports(Protocol.UDP, self.first, self.last)


@dataclass(frozen=True, slots=True)
class Trunk:
    """A host that the configuration names as a peer, and that has to get in."""

    host: str
    """Name, address or prefix."""
    kind: HostKind
    sources: tuple[str, ...]
    """Objects and options that name it: ``identify north``, ``aor north contact``."""
    port: int | None = None
    """None: any, or the default one."""
    srv: bool = False
    """Whether Asterisk asks for SRV records of the name first."""
    left_out: tuple[str, ...] = ()
    """Prefixes within it that are excluded (``!10.1.0.0/16``)."""
    use: Use = Use.SIP


@dataclass(frozen=True, slots=True)
class Server:
    """A STUN or TURN server, whose answers are expected."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ReadingWarning:
    """Something in the configuration that the operator should know of; sentences are elsewhere."""

    kind: WarningKind
    where: str
    """File and section."""
    data: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """All of it. What could not be seen is named, never guessed."""

    listeners: tuple[Listener, ...] = ()
    rtp: PortRange | None = None
    """None where Asterisk has no RTP (its configuration is not known, or the file is refused)."""
    rtp_more: tuple[PortRange, ...] = ()
    """Ranges that endpoints have for themselves."""
    udptl: PortRange | None = None
    trunks: tuple[Trunk, ...] = ()
    local_nets: tuple[str, ...] = ()
    """Prefixes, host bits zero."""
    external: tuple[str, ...] = ()
    """Addresses or names by which others see this host."""
    stun: tuple[Server, ...] = ()
    turn: tuple[Server, ...] = ()
    unseen: tuple[ReadingWarning, ...] = ()
    """What exists, or may, and cannot be seen in files: a database, ``#exec``, placeholders."""
    warnings: tuple[ReadingWarning, ...] = ()
    invalid: tuple[str, ...] = ()
    """Files that Asterisk refuses whole, so that it keeps, or lacks, what they define."""
    files: tuple[str, ...] = ()
    """All files that were read, which following watches; relative to the configuration."""
