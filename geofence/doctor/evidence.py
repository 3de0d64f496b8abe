"""Evidence: all that checks look at, as values. ``None`` is what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from geofence.allowed.active_exceptions import Inactive
from geofence.asterisk.reading import Reading
from geofence.doctor.findings import Unchecked
from geofence.flows.impact import TouchedSource
from geofence.flows.shared_source import Crowd
from geofence.host.sockets import ListeningSocket
from geofence.model.notes import Note
from geofence.model.policy import NamedException, Ports
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.ruleset import Ruleset
from geofence.model.shield import ShieldReason, ShieldState
from geofence.other_rules import OtherRules
from geofence.other_rules.filtering import Filtering, Published
from geofence.routing.local_networks import Place
from geofence.state.outcomes import Ended


class ShieldFacts(NamedTuple):
    """The shield that the rules ask for."""

    kept: bool
    """Whether its process runs."""
    state: ShieldState = ShieldState.OFF
    reasons: tuple[ShieldReason, ...] = ()
    """Why it is off."""


@dataclass(frozen=True, slots=True)
class FenceFacts:
    """The fence in the kernel, against what was applied."""

    backend: str
    unfenced: tuple[Family, ...] = ()
    differences: int = 0
    rules_error: str = ""
    rules_edited: bool = False
    inactive: tuple[Inactive, ...] = ()
    stale: tuple[Note, ...] = ()
    missing: tuple[str, ...] = ()
    """Lists that have not been downloaded yet."""
    unresolved: tuple[Ended, ...] = ()
    """Runs that ended badly."""
    failing: str = ""
    """Why the daemon cannot repair the fence."""
    shield: ShieldFacts | None = None
    """None where the rules do not ask for it."""


@dataclass(frozen=True, slots=True)
class RulesOfOthers:
    """Rules of other programs."""

    other: OtherRules = field(default_factory=OtherRules)
    filtering: Filtering = field(default_factory=Filtering)
    published: tuple[Published, ...] = ()
    legacy: tuple[str, ...] = ()
    """Tables of iptables-legacy that decide anything."""
    by_nft: tuple[str, ...] = ()
    """The same of iptables-nft."""
    helpers: tuple[str, ...] = ()
    """Places where connections get the conntrack helper for SIP."""


@dataclass(frozen=True, slots=True)
class KernelHelper:
    """The conntrack helper for SIP, as the kernel has it."""

    loaded: tuple[str, ...] = ()
    """Modules that are loaded."""
    automatic: bool = False
    """Whether the kernel gives it to connections by itself."""


@dataclass(frozen=True, slots=True)
class Connections:
    """Facts of current connections."""

    crowd: Crowd | None = None
    unnamed: tuple[TouchedSource, ...] = ()


class NotedSource(NamedTuple):
    """A source that the fence dropped, as the kernel has noted it."""

    service: str
    family: Family
    address: int
    """Of IPv6, the first of its /64 network."""
    packets: int
    octets: int
    span: timedelta
    """Between its first and its last packet."""


@dataclass(frozen=True, slots=True)
class Startup:
    """What runs at boot, and from time to time."""

    restores: bool
    """Whether a unit or a cron file restores the fence at boot."""
    masked: bool = False
    renews: bool = True
    """Whether something downloads the lists."""
    rival: str = ""
    """Which programs flush iptables; empty for none."""


@dataclass(frozen=True, slots=True)
class Clock:
    """This host's clock."""

    now: datetime
    newest: datetime | None = None
    """The latest moment that a stored record or list has."""
    synchronised: bool | None = None
    """Whether the kernel says so; None if it does not tell."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A registered contact."""

    name: str
    """Of its address of record."""
    space: AddressSpace
    """Its address."""


@dataclass(frozen=True, slots=True)
class Codecs:
    """Codecs of endpoints, and those that Asterisk can translate."""

    offered: Mapping[str, tuple[str, ...]]
    """By endpoint."""
    translated: frozenset[str]
    """Codecs that some module of Asterisk's translates."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider of the catalogue whose trunk Asterisk has."""

    name: str
    trunk: str
    """The trunk's host."""
    media: AddressSpace
    """Where else it sends media from, as it publishes; empty if it publishes nothing."""
    exception: str = ""
    """Name of the exception, or of the group, that allows it."""


@dataclass(frozen=True, slots=True)
class Jail:
    """A jail of fail2ban that reads Asterisk's log."""

    name: str
    asks: bool
    """Whether its ``ignorecommand`` asks geofence."""
    streams: frozenset[str]
    """Kinds of lines that it counts: ``notice``, ``security``."""
    files: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Its log files, and the kinds of lines that are in them."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """This host, as others see it."""

    own: AddressSpace
    places: tuple[Place, ...] = ()
    public: AddressSpace | None = None
    """What a STUN server sees; None if none was asked."""
    asked: str = ""
    """The STUN server."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it."""

    services: Mapping[str, tuple[Ports, ...]]
    """What is fenced, or would be by the rules where nothing is applied."""
    fence: FenceFacts | None = None
    ruleset: Ruleset | None = None
    """The applied one."""
    exceptions: Mapping[str, tuple[NamedException, AddressSpace]] = field(default_factory=dict)
    """Those of the rules, by name, with their addresses."""
    rules: RulesOfOthers | None = None
    helper: KernelHelper = field(default_factory=KernelHelper)
    connections: Connections | None = None
    noted: tuple[NotedSource, ...] = ()
    startup: Startup | None = None
    clock: Clock | None = None
    sockets: tuple[ListeningSocket, ...] | None = None
    ephemeral: Ports | None = None
    """UDP ports that the kernel gives to sockets that ask for any."""
    reading: Reading | None = None
    names: Mapping[str, AddressSpace] = field(default_factory=dict)
    """Addresses of host names in Asterisk's configuration that are known."""
    contacts: tuple[Contact, ...] | None = None
    codecs: Codecs | None = None
    providers: tuple[Provider, ...] = ()
    hosts: Hosts | None = None
    jails: tuple[Jail, ...] | None = None
    unchecked: tuple[Unchecked, ...] = ()
    """What could not be read, and why."""
