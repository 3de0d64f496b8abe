"""The policy: all rules, merged and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace

if TYPE_CHECKING:
    from geofence.model.ruleset import LocalNetwork

LOOPBACK = "lo"
"""The interface by which this host sends to itself."""
GRACE = timedelta(hours=1)
_MAX_AGE = timedelta(days=7)
_DAEMON_AT = time(3, 30)
_JITTER = timedelta(hours=1)


def besides_loopback(interfaces: Iterable[str]) -> tuple[str, ...]:
    """Return the interfaces by which other hosts can send."""
    return tuple(interface for interface in interfaces if interface != LOOPBACK)


class Protocol(StrEnum):
    """A transport protocol that can be fenced."""

    UDP = "udp"
    TCP = "tcp"

    @property
    def number(self) -> int:
        """IANA protocol number."""
        return 17 if self is Protocol.UDP else 6


@dataclass(frozen=True, slots=True, order=True)
class Ports:
    """A range of ports of one protocol, both ends included; written ``5060-5061/tcp``."""

    protocol: Protocol
    first: int
    last: int

    def __str__(self) -> str:
        ports = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{ports}/{self.protocol}"

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def overlaps(self, other: Ports) -> bool:
        """Whether some packet is for both ranges."""
        same = self.protocol is other.protocol
        return same and self.first <= other.last and other.first <= self.last


class RepliesFrom(StrEnum):
    """The ``replies_from`` key of a service: whose answers to this host are allowed."""

    ANYONE = "anyone"
    """Those of any host that this host has contacted."""
    EXCEPTIONS = "exceptions"
    """Only those of hosts that are allowed anyway: for rules that name all trunks."""


@dataclass(frozen=True, slots=True)
class Service:
    """A named group of ports that is fenced; no two services share a port."""

    name: str
    ports: tuple[Ports, ...]
    countries: tuple[str, ...] | None = None
    """Upper-case ISO 3166-1 alpha-2 codes, or None for those of ``[allow]``."""
    description: str = ""
    helpers: tuple[str, ...] = ()
    """Conntrack helpers (``sip``, ``h323``) whose expected connections are allowed."""
    replies_from: RepliesFrom = RepliesFrom.ANYONE


@dataclass(frozen=True, slots=True)
class NamedException:
    """A named list of addresses that is always allowed: ``[exception.NAME]``."""

    name: str
    description: str = ""
    hosts: tuple[str, ...] = ()
    """Host names; the addresses that they resolve to are allowed."""
    srv: tuple[str, ...] = ()
    """Names of SRV records; the addresses of all servers that they give are allowed."""
    prefixes: AddressSpace = field(default_factory=AddressSpace)
    """Addresses that are allowed whatever the host names resolve to."""
    last_known: AddressSpace = field(default_factory=AddressSpace)
    """Used in place of host names that were never resolved."""
    within: AddressSpace = field(default_factory=AddressSpace)
    """All addresses that its host names may resolve to; empty: any."""
    grace: timedelta = GRACE
    """How long an address stays allowed after an answer of DNS without it."""
    services: tuple[str, ...] = ()
    """Names of the services that it is for; empty means all."""
    group: str | None = None
    """Another name under which several exceptions are allowed and revoked together."""
    enabled: bool = True

    @property
    def names(self) -> tuple[ListId, ...]:
        """The lists of its host names and SRV records."""
        hosts = (ListId(ListKind.HOST, host) for host in self.hosts)
        return (*hosts, *(ListId(ListKind.SRV, name) for name in self.srv))

    def opens(self, service: str) -> bool:
        """Whether the exception, once enabled, allows its addresses to reach the service."""
        return not self.services or service in self.services


@dataclass(frozen=True, slots=True)
class Blocklist:
    """Addresses subtracted from what countries allow: ``[blocklist.NAME]``."""

    name: str
    description: str = ""
    urls: tuple[str, ...] = ()
    """Mirrors of one text list, tried in order."""
    prefixes: AddressSpace = field(default_factory=AddressSpace)
    enabled: bool = True
    format: str | None = None
    """Name of the format of the list; None: found out by content."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The file and line where a rule was written last."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class WhyPassedOver(StrEnum):
    """Why a file in a directory of rules is not read."""

    NAME = "name"
    """Its name does not end in ``.toml``."""
    BACKUP = "backup"
    """It has a name that editors and packagers give to copies."""
    DIRECTORY = "directory"
    """It is a directory."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file in a directory of rules that is not read."""

    path: str
    """As messages name it."""
    why: WhyPassedOver


class BackendChoice(StrEnum):
    """The ``backend`` key: which kernel interface implements the fence.

    This is the only list of the backends, in the order in which ``auto`` prefers them; each is a
    package of ``geofence.backends`` with that name.
    """

    AUTO = "auto"
    IPSET = "ipset"
    NFTABLES = "nftables"


class WithoutRuleset(StrEnum):
    """``[boot] without_ruleset``: what ``restore`` does when no recorded generation is usable."""

    CLOSED = "closed"
    """Allow only exceptions and local networks to every service."""
    OPEN = "open"
    """Set up no fence."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules together."""

    services: tuple[Service, ...] = ()
    countries: tuple[str, ...] = ()
    """Upper-case ISO 3166-1 alpha-2 codes of ``[allow]``."""
    local: AddressSpace = field(default_factory=AddressSpace)
    """Networks that are allowed where this host reaches them: ``[local] prefixes``."""
    local_on: tuple[LocalNetwork, ...] = ()
    """Networks that are allowed on the interface named with them, whatever routes say."""
    link_local: tuple[str, ...] = ()
    """Interfaces on which link-local addresses are allowed: ``[local] link_local``."""
    interfaces: tuple[str, ...] = ()
    """Interfaces that are never fenced; ``*`` at the end stands for any rest."""
    exceptions: tuple[NamedException, ...] = ()
    stale_switches: Mapping[str, bool] = field(default_factory=dict)
    """By the name of an exception that no longer exists: whether the command line enabled it."""
    passed_over: tuple[PassedOver, ...] = ()
    """Files of the operator's directories that are not read."""
    blocklists: tuple[Blocklist, ...] = ()
    country_urls: tuple[str, ...] = ()
    """Templates of ``[source.country] urls`` in the order they are tried: with ``{cc}`` alone for
    lists of both families, with ``{cc}`` and ``{family}`` for a list of each."""
    country_format: str | None = None
    """``[source.country] format``; None: found out by content."""
    backend: BackendChoice = BackendChoice.AUTO
    without_ruleset: WithoutRuleset = WithoutRuleset.CLOSED
    notify_command: tuple[str, ...] = ()
    """``[notify] command``: a program's absolute path and its arguments, run without a shell; empty
    for none."""
    shrink_limits: Mapping[str, float] = field(default_factory=dict)
    """``[guard.shrink]``: percent of a list's addresses that it may lose at once, by ``country JP``
    or ``blocklist NAME``, or by ``country`` or ``blocklist`` for all of the kind."""
    max_age: timedelta = _MAX_AGE
    """``[lists] max_age``: a list that its source has not confirmed for longer is stale."""
    daemon_at: time = _DAEMON_AT
    """``[daemon] at``: when the daemon refreshes each day, local time."""
    daemon_jitter: timedelta = _JITTER
    """``[daemon] jitter``: the refresh starts up to this much later, at random."""
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """Where each table (``exception.push-as``, ``allow``) was last written to."""

    def shrink_limit(self, wanted: ListId) -> float | None:
        """Return the percentage of a list's addresses that it may lose at once; None if not set.

        A limit for the one list overrides that for its kind.
        """
        return self.shrink_limits.get(str(wanted), self.shrink_limits.get(wanted.kind))

    def service_countries(self, service: Service) -> tuple[str, ...]:
        """Return the countries that may reach a service."""
        return self.countries if service.countries is None else service.countries

    def within(self, name: ListId) -> AddressSpace | None:
        """Return what a name may resolve to by the exceptions that have it; None: anything."""
        named = [each.within for each in self.enabled_exceptions() if name in each.names]
        return AddressSpace.union(named) if named and all(named) else None

    def grace(self, name: ListId) -> timedelta:
        """Return the longest grace time of the exceptions that have a name."""
        named = [each.grace for each in self.enabled_exceptions() if name in each.names]
        return max(named, default=GRACE)

    def enabled_exceptions(self) -> tuple[NamedException, ...]:
        """Return the exceptions that the rules enable."""
        return tuple(exception for exception in self.exceptions if exception.enabled)

    def enabled_blocklists(self) -> tuple[Blocklist, ...]:
        """Return the blocklists that the rules enable."""
        return tuple(blocklist for blocklist in self.blocklists if blocklist.enabled)
