"""The policy: all rules, merged and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from geofence.model.asterisk import Following
from geofence.model.catalog import CatalogFacts
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace

if TYPE_CHECKING:
    from geofence.model.ruleset import LocalNetwork
    from geofence.model.target import Target

LOOPBACK = "lo"
"""The interface by which this host sends to itself."""
GRACE = timedelta(hours=1)
_MAX_AGE = timedelta(days=7)
KEEP = timedelta(days=7)
_ATLAS_RENEW = timedelta(days=7)
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
    """Upper-case ISO 3166-1 alpha-2 codes, or None; see ``Policy.allowed``."""
    description: str = ""
    helpers: tuple[str, ...] = ()
    """Conntrack helpers (``sip``, ``h323``) whose expected connections are allowed."""
    replies_from: RepliesFrom = RepliesFrom.ANYONE
    observe: bool = False
    """Whether what the fence would drop passes, and is only counted and noted."""
    asns: tuple[int, ...] | None = None
    """AS numbers, or None; see ``Policy.allowed``."""
    regions: tuple[str, ...] = ()
    """Names of the regions, without ``@``, that stand for some of ``countries`` in the rules."""


class Allowed(NamedTuple):
    """Whose addresses may reach a service, as ``[allow]`` or the service itself says."""

    countries: tuple[str, ...] = ()
    """Upper-case ISO 3166-1 alpha-2 codes; not those that have an end."""
    asns: tuple[int, ...] = ()
    regions: tuple[str, ...] = ()
    """Names of the regions that stand for some of the countries in the rules."""

    def written(self, regions: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """Return what people call them: ``JP``, ``@nordics``, ``AS4713``.

        A region of which some country is blocked by hand is not whole, and its countries are named.

        Args:
            regions: the countries of each region that the rules define.
        """
        known = {name: set(regions.get(name, ())) for name in self.regions}
        whole = {name: codes for name, codes in known.items() if codes <= set(self.countries)}
        return (
            *(code for code in self.countries if not any(code in each for each in whole.values())),
            *(f"@{name}" for name in whole),
            *(f"AS{number}" for number in self.asns),
        )

    @property
    def lists(self) -> tuple[ListId, ...]:
        """The lists that have these addresses, each once."""
        countries = (ListId(ListKind.COUNTRY, code) for code in self.countries)
        asns = (ListId(ListKind.ASN, str(number)) for number in self.asns)
        return tuple(dict.fromkeys((*countries, *asns)))


class ListSource(NamedTuple):
    """Where lists come from: ``[source.country]``, ``[source.asn]``, ``[blocklist.NAME]``."""

    urls: tuple[str, ...] = ()
    """Templates of URLs and of absolute paths, in the order they are tried: with ``{cc}`` or
    ``{asn}`` alone for lists of both families, with ``{family}``, too, for a list of each. Without
    ``{cc}``, a database that has all countries."""
    format: str | None = None
    """Name of the format of the lists; None: found out by content."""
    checksum: str | None = None
    """Template of the URL or path of a list's checksum; ``{url}`` stands for that of the list."""
    paths: tuple[str, ...] = ()
    """Where the prefixes of a feed are in its JSON; empty: anywhere."""


class MirrorSource(NamedTuple):
    """Signed mirrors that lists come from: ``[source.mirror]``."""

    urls: tuple[str, ...] = ()
    """Of their directories, each ending in ``/``, in the order they are tried."""
    keys: tuple[str, ...] = ()
    """Public keys of minisign; any one of them must have signed."""
    fallback: bool = False
    """Whether the other sources of the rules are asked where no mirror gives a list."""


class Publishing(NamedTuple):
    """The signed mirror that this host makes for others: ``[mirror]``."""

    directory: str = ""
    """Absolute path, which a web server serves; empty for none."""
    key_file: str = ""
    """Absolute path of the secret key."""
    expires: timedelta = timedelta(days=7)
    """How long an index counts."""


_NO_MIRROR = MirrorSource()
_NOT_PUBLISHING = Publishing()


@dataclass(frozen=True, slots=True)
class NamedException:
    """A named list of addresses that is always allowed: ``[exception.NAME]``."""

    name: str
    description: str = ""
    hosts: tuple[str, ...] = ()
    """Host names; the addresses that they resolve to are allowed."""
    srv: tuple[str, ...] = ()
    """Names of SRV records; the addresses of all servers that they give are allowed."""
    sip: tuple[str, ...] = ()
    """Domains; the addresses of all hosts that SIP software finds for them are allowed."""
    prefixes: AddressSpace = field(default_factory=AddressSpace)
    """Addresses that are allowed whatever the host names resolve to."""
    feed: str = ""
    """URL or absolute path of a list of its addresses; empty: none. One with a feed has no names in
    DNS."""
    paths: tuple[str, ...] = ()
    """Where the prefixes are in the JSON of its feed; empty: anywhere."""
    last_known: AddressSpace = field(default_factory=AddressSpace)
    """Used in place of host names that were never resolved, or a feed that was never accepted."""
    within: AddressSpace = field(default_factory=AddressSpace)
    """All addresses that its host names may resolve to, or its feed have; empty: any."""
    grace: timedelta = GRACE
    """How long an address stays allowed after an answer of DNS without it."""
    services: tuple[str, ...] = ()
    """Names of the services that it is for; empty means all."""
    group: str | None = None
    """Another name under which several exceptions are allowed and revoked together."""
    enabled: bool = True
    note: str = ""
    """Why it was allowed; text for people."""
    until: datetime | None = None
    """When it ends, UTC; None: never."""
    derived_from: tuple[str, ...] = ()
    """Objects of Asterisk's configuration that it was derived from; none for one of the rules."""
    catalog: CatalogFacts = field(default_factory=CatalogFacts)
    """Who it is, and where its addresses come from."""

    @property
    def names(self) -> tuple[ListId, ...]:
        """The lists of its host names, SRV records and SIP domains."""
        hosts = (ListId(ListKind.HOST, host) for host in self.hosts)
        records = (ListId(ListKind.SRV, name) for name in self.srv)
        return (*hosts, *records, *(ListId(ListKind.SIP, name) for name in self.sip))

    @property
    def lists(self) -> tuple[ListId, ...]:
        """The lists of its addresses: those of its names in DNS, or its feed."""
        return (*self.names, *((ListId(ListKind.FEED, self.name),) if self.feed else ()))

    @property
    def written(self) -> AddressSpace:
        """The addresses that the rules themselves have for it, whatever DNS or a feed says."""
        return self.prefixes | self.last_known

    def opens(self, service: str) -> bool:
        """Whether the exception, once enabled, allows its addresses to reach the service."""
        return not self.services or service in self.services

    def at(self, now: datetime) -> NamedException:
        """Return the exception as it is at a time: one that has ended is disabled."""
        return replace(self, enabled=False) if has_ended(self.until, now) else self


@dataclass(frozen=True, slots=True)
class CountrySwitch:
    """A country that the command line allows or blocks: ``[country.US]``."""

    code: str
    """Upper-case ISO 3166-1 alpha-2 code."""
    allowed: bool
    services: tuple[str, ...] = ()
    """Names of the services that it is for; empty means all."""
    note: str = ""
    """Text for people."""
    until: datetime | None = None
    """When it stops being allowed, UTC; None: never."""
    revoked_after: bool = False
    """Whether it is blocked after that, since it was before, whatever the other rules say."""

    def concerns(self, service: str) -> bool:
        """Whether it is for the service."""
        return not self.services or service in self.services

    def at(self, now: datetime) -> CountrySwitch | None:
        """Return what is left of it at a time; None for nothing."""
        if not has_ended(self.until, now):
            return self
        blocked = CountrySwitch(self.code, allowed=False, services=self.services)
        return blocked if self.revoked_after else None


def has_ended(until: datetime | None, now: datetime) -> bool:
    """Whether something with that end is over."""
    return until is not None and until <= now


@dataclass(frozen=True, slots=True)
class Blocklist:
    """Addresses subtracted from what countries allow: ``[blocklist.NAME]``."""

    name: str
    description: str = ""
    urls: tuple[str, ...] = ()
    """Mirrors of one list, tried in order: URLs, or absolute paths."""
    prefixes: AddressSpace = field(default_factory=AddressSpace)
    enabled: bool = True
    format: str | None = None
    """Name of the format of the list; None: found out by content."""
    checksum: str | None = None
    """Template of the URL or path of its checksum; ``{url}`` stands for that of the list."""
    parts: tuple[str, ...] = ()
    """URLs that make up one list together, in place of ``urls``."""
    refresh: timedelta | None = None
    """How long its source is not asked again after it gave or confirmed the list."""
    key_file: str = ""
    """Path of a file with the key that the source asks for; empty for none."""
    keep: timedelta = KEEP
    """How long an address stays after it was reported, where the source gives only new ones."""

    @property
    def has_source(self) -> bool:
        """Whether it has a list to download."""
        return bool(self.urls or self.parts)


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
    disabled_services: tuple[str, ...] = ()
    """Names of services that the rules define and do not fence."""
    countries: tuple[str, ...] = ()
    """Upper-case ISO 3166-1 alpha-2 codes of ``[allow]``."""
    asns: tuple[int, ...] = ()
    """AS numbers of ``[allow]``."""
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The countries of each region that the rules define."""
    allowed_regions: tuple[str, ...] = ()
    """Names of the regions that stand for some of ``countries`` in the rules."""
    local: AddressSpace = field(default_factory=AddressSpace)
    """Networks that are allowed where this host reaches them: ``[local] prefixes``."""
    local_on: tuple[LocalNetwork, ...] = ()
    """Networks that are allowed on the interface named with them, whatever routes say."""
    link_local: tuple[str, ...] = ()
    """Interfaces on which link-local addresses are allowed: ``[local] link_local``."""
    interfaces: tuple[str, ...] = ()
    """Interfaces that are never fenced; ``*`` at the end stands for any rest."""
    exceptions: tuple[NamedException, ...] = ()
    country_switches: tuple[CountrySwitch, ...] = ()
    """Countries that the command line allows or blocks."""
    stale_switches: Mapping[str, bool] = field(default_factory=dict)
    """By the name of an exception that no longer exists: whether the command line enabled it."""
    passed_over: tuple[PassedOver, ...] = ()
    """Files of the operator's directories that are not read."""
    blocklists: tuple[Blocklist, ...] = ()
    country_urls: tuple[str, ...] = ()
    """``[source.country] urls``; see ``ListSource``."""
    country_format: str | None = None
    country_checksum: str | None = None
    asn_urls: tuple[str, ...] = ()
    """``[source.asn] urls``; see ``ListSource``."""
    asn_format: str | None = None
    asn_checksum: str | None = None
    mirror_source: MirrorSource = _NO_MIRROR
    publishing: Publishing = _NOT_PUBLISHING
    backend: BackendChoice = BackendChoice.AUTO
    without_ruleset: WithoutRuleset = WithoutRuleset.CLOSED
    notify_command: tuple[str, ...] = ()
    """``[notify] command``: a program's absolute path and its arguments, run without a shell; empty
    for none."""
    notify_mail: tuple[str, ...] = ()
    """Addresses that get a mail by the MTA of this host."""
    notify_webhook_file: str = ""
    """Path of a file with the URL that gets the facts; empty for none."""
    shrink_limits: Mapping[str, float] = field(default_factory=dict)
    """``[guard.shrink]``: percent of a list's addresses that it may lose at once, by ``country JP``
    or ``asn 4713`` or ``blocklist NAME``, or by ``country``, … for all of the kind."""
    max_age: timedelta = _MAX_AGE
    """``[lists] max_age``: a list that its source has not confirmed for longer is stale."""
    atlas_enabled: bool = False
    """``[atlas] enabled``: whether a refresh renews the world index."""
    atlas_renew: timedelta = _ATLAS_RENEW
    """``[atlas] renew``: it then asks for the lists that have not been confirmed for so long."""
    report_mail: tuple[str, ...] = ()
    """``[report] mail``: who gets the weekly report."""
    report_language: str = "en"
    """``[report] language``: that of the mailed report."""
    metrics_textfile: Path | None = None
    """``[metrics] textfile``: where runs write metrics for node_exporter; None: nowhere."""
    shield_enabled: bool = False
    """``[shield] enabled``: whether ``geofence-shield.service`` drops packets before the fence."""
    daemon_at: time = _DAEMON_AT
    """``[daemon] at``: when the daemon refreshes each day, local time."""
    daemon_jitter: timedelta = _JITTER
    """``[daemon] jitter``: the refresh starts up to this much later, at random."""
    asterisk: Following = field(default_factory=Following)
    """``[asterisk]``: the configuration that the fence follows."""
    targets: tuple[Target, ...] = ()
    """Clusters that are fenced beside the local kernel, by ``[target.NAME]``."""
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """Where each table (``exception.push-as``, ``allow``) was last written to."""

    def shrink_limit(self, wanted: ListId) -> float | None:
        """Return the percentage of a list's addresses that it may lose at once; None if not set.

        A limit for the one list overrides that for its kind.
        """
        return self.shrink_limits.get(str(wanted), self.shrink_limits.get(wanted.kind))

    def source(self, wanted: ListId) -> ListSource:
        """Return where a list comes from; a source without URLs for a list that has none."""
        if wanted.kind is ListKind.COUNTRY:
            return ListSource(self.country_urls, self.country_format, self.country_checksum)
        if wanted.kind is ListKind.ASN:
            return ListSource(self.asn_urls, self.asn_format, self.asn_checksum)
        blocklist, fed = self.blocklist(wanted), self.fed_by(wanted)
        if blocklist is not None:
            return ListSource(blocklist.urls, blocklist.format, blocklist.checksum)
        if fed is not None and fed.feed:
            return ListSource((fed.feed,), paths=fed.paths)
        return ListSource()

    def at(self, now: datetime) -> Policy:
        """Return the policy at a time: what has ended is as if it had not been allowed."""
        return replace(
            self,
            exceptions=tuple(each.at(now) for each in self.exceptions),
            country_switches=tuple(
                left for each in self.country_switches if (left := each.at(now)) is not None
            ),
        )

    def shared(self) -> Allowed:
        """Return whose addresses may reach services that name no countries or AS numbers."""
        return Allowed(self._switched(self.countries, ""), self.asns, self.allowed_regions)

    def allowed(self, service: Service) -> Allowed:
        """Return whose addresses may reach a service; not countries that have an end.

        A service that names countries or AS numbers has only those: an AS number in it must not
        open it to the countries of ``[allow]``, too.
        """
        if service.countries is None and service.asns is None:
            countries = self._switched(self.countries, service.name)
            return Allowed(countries, self.asns, self.allowed_regions)
        countries = self._switched(service.countries or (), service.name)
        return Allowed(countries, service.asns or (), service.regions)

    def service_countries(self, service: Service) -> tuple[str, ...]:
        """Return the countries that may reach a service; not those that have an end."""
        return self.allowed(service).countries

    def _switched(self, countries: tuple[str, ...], service: str) -> tuple[str, ...]:
        """Return countries with those that the command line allows or blocks for a service."""
        switched = {
            each.code: each.allowed and each.until is None
            for each in self.country_switches
            if each.concerns(service) and (each.until is None or each.revoked_after)
        }
        allowed = (code for code, is_allowed in switched.items() if is_allowed)
        every = dict.fromkeys((*countries, *allowed))
        return tuple(code for code in every if switched.get(code, True))

    def within(self, name: ListId) -> AddressSpace | None:
        """Return what a name may resolve to by the exceptions that have it; None: anything."""
        named = [each.within for each in self.enabled_exceptions() if name in each.names]
        return AddressSpace.union(named) if named and all(named) else None

    @property
    def local_space(self) -> AddressSpace:
        """The addresses of all networks of ``[local] prefixes``."""
        return self.local | AddressSpace.of(each.prefix for each in self.local_on)

    def grace(self, name: ListId) -> timedelta:
        """Return the longest grace time of the exceptions that have a name."""
        named = [each.grace for each in self.enabled_exceptions() if name in each.names]
        return max(named, default=GRACE)

    def enabled_exceptions(self) -> tuple[NamedException, ...]:
        """Return the exceptions that the rules enable."""
        return tuple(exception for exception in self.exceptions if exception.enabled)

    def blocklist(self, wanted: ListId) -> Blocklist | None:
        """Return the blocklist whose list it is; None if it is another kind of list."""
        known = self.blocklists if wanted.kind is ListKind.BLOCKLIST else ()
        return next((each for each in known if each.name == wanted.name), None)

    def fed_by(self, wanted: ListId) -> NamedException | None:
        """Return the exception whose feed it is; None if it is another kind of list."""
        known = self.exceptions if wanted.kind is ListKind.FEED else ()
        return next((each for each in known if each.name == wanted.name), None)

    def timed_countries(self) -> tuple[CountrySwitch, ...]:
        """Return the countries that are allowed until a time."""
        return tuple(each for each in self.country_switches if each.allowed and each.until)

    def enabled_blocklists(self) -> tuple[Blocklist, ...]:
        """Return the blocklists that the rules enable."""
        return tuple(blocklist for blocklist in self.blocklists if blocklist.enabled)
