"""What was found on this host: values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from geofence.asterisk.additions import Derived
from geofence.asterisk.reading import Reading
from geofence.guards.lockout import SshSession
from geofence.host.sockets import ListeningSocket
from geofence.model.address import Address
from geofence.model.evidence import Evidence
from geofence.model.policy import Origin, Policy


class LikelyCountry(NamedTuple):
    """A country whose phones probably call."""

    code: str
    evidence: tuple[Evidence, ...]


class Tunnel(NamedTuple):
    """An interface of a VPN."""

    name: str
    kind: str
    """``wireguard`` or ``tun``."""
    is_way_out: bool
    """Whether the Internet is reached by it, so that it is no network of one's own."""


class Peer(NamedTuple):
    """A source that talks to ports that will be fenced."""

    address: Address
    ports: tuple[str, ...]
    """Such as ``5060/udp``."""
    country: str
    """Code; empty if it is unknown."""


@dataclass(frozen=True, slots=True)
class AsteriskFound:
    """The Asterisk of this host, or of a container."""

    directory: Path | None = None
    """Where its configuration is; None where it was not found."""
    reading: Reading | None = None
    derived: Derived | None = None
    hidden: tuple[str, ...] = ()
    """Processes of an Asterisk whose configuration this host cannot name."""
    unread: str = ""
    """Why the directory could not be read; empty if it was."""


@dataclass(frozen=True, slots=True)
class Existing:
    """The rules that there are."""

    policy: Policy = field(default_factory=Policy)
    """All of them, without the file of ``setup`` and without what follows Asterisk."""
    operators: Mapping[str, Origin] = field(default_factory=dict)
    """Keys that the operator's files have, such as ``service.sip.ports``, and where."""
    setup: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Tables of the file of ``setup``, by heading; empty where there is none."""
    has_file: bool = False
    """Whether there is such a file."""

    def says(self, key: str) -> Origin | None:
        """Return where the operator's files have a key."""
        return self.operators.get(key)


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found."""

    asterisk: AsteriskFound = field(default_factory=AsteriskFound)
    sockets: tuple[ListeningSocket, ...] = ()
    tunnels: tuple[Tunnel, ...] = ()
    ssh: SshSession | None = None
    addresses: tuple[Address, ...] = ()
    """Of this host, as others reach it."""
    country: str = ""
    """Of these; empty if it is unknown."""
    likely: tuple[LikelyCountry, ...] = ()
    """The likeliest first."""
    contacts: tuple[Address, ...] = ()
    """Addresses of those who are registered with the running Asterisk."""
    peers: tuple[Peer, ...] = ()
    firewalls: tuple[str, ...] = ()
    """Other firewalls and programs with rules of their own that were found."""
    docker: tuple[ListeningSocket, ...] = ()
    """Ports that Docker publishes."""
    has_fail2ban: bool = False
    has_jail: bool = False
    """Whether the jail for geofence is there."""
    has_systemd: bool = False
    has_units: bool = False
    """Whether the units of geofence are installed."""
    units_enabled: bool = False
    has_mta: bool = False
    """Whether mail can be handed to this host."""
    standard: bool = True
    """Whether rules and state are where the units and fail2ban's files expect them."""
