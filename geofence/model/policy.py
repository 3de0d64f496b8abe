"""The policy: all rules, merged and checked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from geofence.model.asterisk import Following
from geofence.model.blocklists import KEEP, Blocklist, ListSource
from geofence.model.choices import BackendChoice, WithoutRuleset
from geofence.model.exceptions import GRACE, CountrySwitch, NamedException, has_ended
from geofence.model.frozen import NamedTuple, dataclass, field, replace
from geofence.model.lists import ListId, ListKind
from geofence.model.ports import LOOPBACK, Ports, Protocol, besides_loopback
from geofence.model.prefixes import AddressSpace
from geofence.model.services import Allowed, RepliesFrom, Service

__all__ = [
    "GRACE",
    "KEEP",
    "LOOPBACK",
    "Allowed",
    "BackendChoice",
    "Blocklist",
    "CountrySwitch",
    "ListSource",
    "MirrorSource",
    "NamedException",
    "Origin",
    "PassedOver",
    "Policy",
    "Ports",
    "Protocol",
    "Publishing",
    "RepliesFrom",
    "Service",
    "WhyPassedOver",
    "WithoutRuleset",
    "besides_loopback",
    "has_ended",
]

if TYPE_CHECKING:
    from geofence.model.ruleset import LocalNetwork
    from geofence.model.target import Target

_MAX_AGE = timedelta(days=7)
_ATLAS_RENEW = timedelta(days=7)
_DAEMON_AT = time(3, 30)
_JITTER = timedelta(hours=1)


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
    keyed: bool = False
    """Whether lists from URLs with a query are given to others, too; it may be a licence key."""


_NO_MIRROR = MirrorSource()
_NOT_PUBLISHING = Publishing()


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
