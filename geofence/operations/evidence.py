"""Evidence for ``doctor``, gathered from the kernel, the state on disk and other programs.

Each source is asked for itself: one that fails is noted as unchecked, and the others count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from geofence.backends.ipset.conflicts import rival
from geofence.doctor.evidence import (
    Clock,
    Connections,
    Evidence,
    FenceFacts,
    Hosts,
    KernelHelper,
    NotedSource,
    RulesOfOthers,
    ShieldFacts,
    Startup,
)
from geofence.doctor.findings import Subject, Unchecked, WhyUnchecked
from geofence.errors import BackendUnavailable, GeofenceError, PrivilegeError, RulesError
from geofence.host import clock, sip_helper
from geofence.host.privilege import has_net_admin
from geofence.host.sockets import ListeningSocket, read_sockets
from geofence.host.startup_units import read_units
from geofence.merge import exception_space
from geofence.model.lists import ListKind
from geofence.model.policy import NamedException, Policy, Ports, Protocol
from geofence.model.prefixes import AddressSpace
from geofence.model.ruleset import Ruleset
from geofence.operations.denied import noted_sources
from geofence.operations.evidence_of_fail2ban import read_asterisk_jails
from geofence.operations.evidence_of_pbx import Pbx, providers, read_pbx
from geofence.operations.kernel_fences import read_fences
from geofence.operations.site import Site
from geofence.operations.status import StatusReport, status
from geofence.other_rules import OtherRules
from geofence.other_rules.filtering import filtering, published
from geofence.other_rules.programs import AllTables, read_tables
from geofence.other_rules.traversal import find
from geofence.routing.routes import local_addresses, read_places

_T = TypeVar("_T")

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUALLY_CHOSEN = (32768, 60999)
_OF_EXCEPTIONS = (ListKind.HOST, ListKind.SRV, ListKind.FEED)
_MOST_NOTED = 1_000
"""Noted sources of a service that are looked at, those with most packets."""


@dataclass
class _Notes:
    """What could not be read so far."""

    unchecked: list[Unchecked] = field(default_factory=list)

    def told(self, subject: Subject, why: WhyUnchecked, message: str = "") -> None:
        self.unchecked.append(Unchecked(subject, why, message))

    def trying(self, subject: Subject, read: Callable[[], _T]) -> _T | None:
        """Return what a source tells; None if it fails, which is noted.

        Raises:
            RulesError: the rules do not load.
        """
        try:
            return read()
        except RulesError:
            raise
        except PrivilegeError as error:
            self.told(subject, WhyUnchecked.NOT_ROOT, str(error))
        except BackendUnavailable as error:
            root = has_net_admin()
            self.told(subject, WhyUnchecked.FAILED if root else WhyUnchecked.NOT_ROOT, str(error))
        except (GeofenceError, OSError) as error:
            self.told(subject, WhyUnchecked.FAILED, str(error))
        return None


def gather(
    site: Site,
    *,
    asterisk: Path | None = None,
    root: Path = Path("/"),
    offline: bool = False,
    console: str = "",
) -> Evidence:
    """Return the evidence; never fails.

    Args:
        site: the installation.
        asterisk: the directory of Asterisk's configuration; that of the rules if not given.
        root: the system's root directory, for units and cron's tables.
        offline: ask neither DNS nor a STUN server.
        console: the program that asks the running Asterisk; that of the rules if empty.
    """
    notes = _Notes()
    report, facts = _status(site, notes)
    policy = _policy(site)
    directory = asterisk or Path(policy.asterisk.directory)
    program = console or policy.asterisk.cli
    ruleset = notes.trying(Subject.FENCE, lambda: _ruleset(site)) if report else None
    services = _services(ruleset, policy)
    exceptions = _exceptions(site, policy)
    sockets = notes.trying(Subject.SOCKETS, read_sockets)
    _say_who_is_hidden(sockets, notes)
    hosts = notes.trying(Subject.ADDRESSES, lambda: Hosts(local_addresses(), read_places()))
    pbx = read_pbx(site, directory, sockets or (), hosts, offline=offline, program=program)
    jails = notes.trying(Subject.FAIL2BAN, lambda: read_asterisk_jails(directory))
    rules = _rules_of_others(services, notes)
    return Evidence(
        services=services,
        fence=facts,
        ruleset=ruleset,
        exceptions=exceptions,
        rules=rules,
        helper=KernelHelper(sip_helper.read_loaded(), sip_helper.is_automatic()),
        connections=_connections(report, notes),
        noted=_noted(site),
        startup=_startup(root, report),
        clock=_clock(report),
        sockets=sockets,
        ephemeral=_ephemeral(),
        hosts=_with_public(hosts, pbx),
        reading=pbx.reading,
        names=pbx.names,
        contacts=pbx.contacts,
        codecs=pbx.codecs,
        jails=jails,
        providers=tuple(providers(pbx.reading, policy, exceptions)) if pbx.reading else (),
        unchecked=(*notes.unchecked, *pbx.unchecked),
    )


def _status(site: Site, notes: _Notes) -> tuple[StatusReport | None, FenceFacts | None]:
    """Return the status of the fence; without the rules, that they do not load."""
    try:
        report = notes.trying(Subject.FENCE, lambda: status(site))
    except RulesError as error:
        notes.told(Subject.FENCE, WhyUnchecked.FAILED)
        return None, FenceFacts("", rules_error=str(error))
    return report, _fence(report) if report else None


def _policy(site: Site) -> Policy:
    """Return the rules; none if they do not load, which the status tells."""
    with suppress(GeofenceError):
        return site.policy()
    return Policy()


def _ruleset(site: Site) -> Ruleset | None:
    """Return what the kernel holds, else what was applied; None if nothing was."""
    newest, _ = site.generations.newest()
    if newest is None:
        return None
    held = read_fences(site, newest.ruleset).fences
    return held[0].ruleset if held else newest.ruleset


def _services(ruleset: Ruleset | None, policy: Policy) -> Mapping[str, tuple[Ports, ...]]:
    known = ruleset.services if ruleset is not None else policy.services
    return {service.name: service.ports for service in known}


def _exceptions(site: Site, policy: Policy) -> Mapping[str, tuple[NamedException, AddressSpace]]:
    try:
        wanted = (name for name in site.lists.ids() if name.kind in _OF_EXCEPTIONS)
        found, _ = site.lists.load_all(wanted)
    except GeofenceError:  # the status tells
        found = {}
    known = {name: accepted.space for name, accepted in found.items()}
    return {each.name: (each, exception_space(each, known)) for each in policy.exceptions}


def _fence(report: StatusReport) -> FenceFacts:
    last = report.last
    return FenceFacts(
        report.backend.name,
        report.unfenced,
        len(report.drift),
        str(report.wrong_rules or ""),
        bool(report.rules_edited),
        report.exceptions.inactive,
        report.stale,
        tuple(str(each.id) for each in report.lists if each.is_absent and each.id.kind.allows),
        last.unresolved if last else (),
        last.failing if last else "",
        _shield(report),
    )


def _shield(report: StatusReport) -> ShieldFacts | None:
    shield = report.shield
    if shield is None or not shield.enabled:
        return None
    record = shield.record
    if record is None:
        return ShieldFacts(shield.kept)
    return ShieldFacts(shield.kept, record.state, record.reasons)


def _say_who_is_hidden(sockets: tuple[ListeningSocket, ...] | None, notes: _Notes) -> None:
    """Note that processes cannot be seen, where none of another user's is."""
    hidden = [each for each in sockets or () if not each.holders]
    if hidden and not has_net_admin():
        notes.told(Subject.SOCKETS, WhyUnchecked.NOT_ROOT)


def _rules_of_others(services: Mapping[str, tuple[Ports, ...]], notes: _Notes) -> RulesOfOthers:
    tables = read_tables()
    if tables.unread:
        why = WhyUnchecked.FAILED if has_net_admin() else WhyUnchecked.NOT_ROOT
        notes.told(Subject.OTHER_RULES, why, ", ".join(tables.unread))
    return rules_of_others(tables, services)


def rules_of_others(tables: AllTables, services: Mapping[str, tuple[Ports, ...]]) -> RulesOfOthers:
    """Return what matters of tables."""
    other: OtherRules = replace(find(tables.every, services), unread=tables.unread)
    return RulesOfOthers(
        other,
        filtering(tables.distinct, services),
        published(tables.distinct),
        tuple(each.place for each in tables.legacy if each.is_used),
        tuple(each.place for each in tables.by_nft_flavour if each.is_used),
        tuple(f"{each.place} {name}" for each in tables.distinct for name in each.helpers),
    )


def _connections(report: StatusReport | None, notes: _Notes) -> Connections | None:
    traffic = report.traffic if report else None
    if traffic is None:
        return None
    if traffic.unread:
        notes.told(Subject.CONNECTIONS, WhyUnchecked.FAILED, traffic.unread)
        return None
    return Connections(traffic.crowd, traffic.unnamed)


def _noted(site: Site) -> tuple[NotedSource, ...]:
    with suppress(GeofenceError):  # who reads the kernel otherwise tells why it cannot be read
        return tuple(_each_noted(site))
    return ()


def _each_noted(site: Site) -> Iterator[NotedSource]:
    for part in noted_sources(site):
        places = sorted(range(part.number), key=part.packets.__getitem__)[-_MOST_NOTED:]
        for at in places:
            span = timedelta(seconds=max(0.0, part.last[at] - part.first[at]))
            yield NotedSource(
                part.service,
                part.family,
                part.networks[at],
                part.packets[at],
                part.octets[at],
                span,
            )


def _startup(root: Path, report: StatusReport | None) -> Startup:
    files = read_units(root)
    against = (rival() or "") if report and report.backend.name == "ipset" else ""
    return Startup(files.restores, files.masked, files.renews, against)


def _clock(report: StatusReport | None) -> Clock:
    moments = [each.checked_at for each in report.lists if each.checked_at] if report else []
    if report and report.applied_at:
        moments.append(report.applied_at)
    return Clock(datetime.now(UTC), max(moments, default=None), clock.is_synchronised())


def _ephemeral() -> Ports:
    try:
        first, last = map(int, _EPHEMERAL.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        first, last = _USUALLY_CHOSEN
    return Ports(Protocol.UDP, first, last)


def _with_public(hosts: Hosts | None, pbx: Pbx) -> Hosts | None:
    if hosts is None or pbx.public is None:
        return hosts
    return replace(hosts, public=pbx.public, asked=pbx.asked)
