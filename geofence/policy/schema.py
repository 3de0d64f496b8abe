"""The schema of rules: merged drop-ins in, a checked policy out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from geofence.model.lists import ListKind
from geofence.model.policy import (
    GRACE,
    BackendChoice,
    Blocklist,
    CountrySwitch,
    NamedException,
    Origin,
    Policy,
    Ports,
    RepliesFrom,
    Service,
    WithoutRuleset,
)
from geofence.model.prefixes import AddressSpace, Prefix
from geofence.model.ruleset import LocalNetwork
from geofence.policy.addresses import host_name, interface, local_network, prefix, srv_name
from geofence.policy.asns import asn
from geofence.policy.asterisk import derived_services, read_following
from geofence.policy.blocklists import with_source
from geofence.policy.catalog import with_catalog, with_feed
from geofence.policy.countries import country_code
from geofence.policy.languages import spoken
from geofence.policy.mirrors import mirror_source, publishing
from geofence.policy.mistakes import Mistake, Problems
from geofence.policy.owned import OWNED_FILE, is_owned
from geofence.policy.paths import textfile
from geofence.policy.quantities import age, grace, jitter, ports, time_of_day
from geofence.policy.recipients import file_path, mail_address
from geofence.policy.references import helper_name, service_name
from geofence.policy.regions import (
    Regions,
    country_or_region,
    expanded,
    read_regions,
    regions_in,
)
from geofence.policy.shrinking import shrink_limits
from geofence.policy.sources import checksum, list_format, list_source
from geofence.policy.table_reader import Section, argument, choice, rule_name
from geofence.policy.targets import LONGEST_TARGET_NAME, read_targets
from geofence.policy.toml_tree import Table
from geofence.policy.urls import OF_ASNS, OF_COUNTRIES, url
from geofence.spelling import nearest, one_of, quoted
from geofence.translation import tr

LONGEST_SERVICE_NAME = 12
"""Characters; names of kernel sets contain it and may have 31 (linux/netfilter/ipset)."""

_DEFAULT = Policy()
_NAMES = ("hosts", "srv", "sip")
"""Keys with names in DNS."""
_LISTED = (*_NAMES, "feed")
"""Keys of an exception that give it lists of addresses."""
_NAMED = ("service", "exception", "country", "blocklist", "region", "source", "target")
"""Tables that contain a table for each thing of their kind."""


def read_policy(rules: Table, problems: Problems) -> Policy:
    """Return the policy of the merged rules.

    Args:
        rules: the root of all drop-ins, merged.
        problems: told about every mistake; if there are any, the policy must not be used.
    """
    root = Section("", rules, problems)
    services = root.named("service", LONGEST_SERVICE_NAME)
    exceptions = root.named("exception")
    countries = root.tables("country", country_code, "CODE") if "country" in root else {}
    blocklists = root.named("blocklist")
    regions = read_regions(root.named("region"))
    targets = root.named("target", LONGEST_TARGET_NAME)
    allow, local, source = root.table("allow"), root.table("local"), root.table("source")
    lists, guard, boot = root.table("lists"), root.table("guard"), root.table("boot")
    notify, daemon, atlas = root.table("notify"), root.table("daemon"), root.table("atlas")
    mailed, metrics = root.table("report"), root.table("metrics")
    shield = root.table("shield")
    mirror = root.table("mirror")
    observe = root.table("mode").flag("observe", default=False)
    of_countries = list_source(source.table("country"), ListKind.COUNTRY, OF_COUNTRIES)
    of_asns = list_source(source.table("asn"), ListKind.ASN, OF_ASNS)
    shared, allowed_regions = _countries(allow, regions)
    networks = local.values("prefixes", local_network) or ()
    fenced, disabled = _services(services, regions, observe=observe)
    known = dict.fromkeys((*services, *derived_services(rules)))
    policy = Policy(
        services=fenced,
        disabled_services=disabled,
        countries=shared or (),
        asns=allow.numbers("asns", asn) or (),
        regions=regions,
        allowed_regions=allowed_regions,
        local=AddressSpace.of(each for each in networks if isinstance(each, Prefix)),
        local_on=tuple(each for each in networks if isinstance(each, LocalNetwork)),
        link_local=local.values("link_local", interface) or (),
        interfaces=local.values("interfaces", interface) or (),
        exceptions=_exceptions(exceptions, known),
        country_switches=_country_switches(countries, known),
        blocklists=tuple(_blocklist(name, section) for name, section in blocklists.items()),
        country_urls=of_countries.urls,
        country_format=of_countries.format,
        country_checksum=of_countries.checksum,
        asn_urls=of_asns.urls,
        asn_format=of_asns.format,
        asn_checksum=of_asns.checksum,
        mirror_source=mirror_source(source.table("mirror")),
        publishing=publishing(mirror),
        backend=root.value("backend", choice(BackendChoice), _DEFAULT.backend),
        without_ruleset=boot.value(
            "without_ruleset", choice(WithoutRuleset), _DEFAULT.without_ruleset
        ),
        notify_command=_command(notify),
        notify_mail=notify.values("mail", mail_address) or (),
        notify_webhook_file=notify.value("webhook_file", file_path, None) or "",
        shrink_limits=shrink_limits(guard.table("shrink"), blocklists, exceptions),
        max_age=lists.value("max_age", age, _DEFAULT.max_age),
        atlas_enabled=atlas.flag("enabled", default=_DEFAULT.atlas_enabled),
        atlas_renew=atlas.value("renew", age, _DEFAULT.atlas_renew),
        report_mail=mailed.values("mail", mail_address) or (),
        report_language=mailed.value("language", spoken, _DEFAULT.report_language),
        metrics_textfile=metrics.value("textfile", textfile, None),
        shield_enabled=shield.flag("enabled", default=_DEFAULT.shield_enabled),
        daemon_at=daemon.value("at", time_of_day, _DEFAULT.daemon_at),
        daemon_jitter=daemon.value("jitter", jitter, _DEFAULT.daemon_jitter),
        asterisk=read_following(root.table("asterisk")),
        targets=read_targets(targets, known),
        origins=_origins(rules),
    )
    root.finish()
    return policy


def _origins(rules: Table) -> dict[str, Origin]:
    found: dict[str, Origin] = {}
    for key, node in rules.entries.items():
        if key in _NAMED and isinstance(node, Table):
            inner = node.entries.items()
            found |= {f"{key}.{name}": entry.origin for name, entry in inner}
        else:
            found[key] = node.origin
    return found


def _space(section: Section, key: str = "prefixes") -> AddressSpace:
    return AddressSpace.of(section.values(key, prefix) or ())


def _countries(
    section: Section, regions: Regions
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Return the country codes of a table, None without the key, and the regions among them."""
    written = section.values("countries", country_or_region(regions))
    if written is None:
        return None, ()
    return expanded(written, regions), regions_in(written)


def _services(
    sections: Mapping[str, Section], regions: Regions, *, observe: bool
) -> tuple[tuple[Service, ...], tuple[str, ...]]:
    """Return the services that are fenced, and the names of those that are disabled."""
    everything = {
        name: _service(name, section, regions, observe=observe)
        for name, section in sections.items()
    }
    fenced = {
        name: service
        for name, service in everything.items()
        if sections[name].flag("enabled", default=True)
    }
    _find_overlaps(fenced, sections)
    return tuple(fenced.values()), tuple(name for name in everything if name not in fenced)


def _service(name: str, section: Section, regions: Regions, *, observe: bool) -> Service:
    countries, named = _countries(section, regions)
    service = Service(
        name,
        section.values("ports", ports) or (),
        countries,
        section.text("description"),
        section.values("helpers", helper_name) or (),
        section.value("replies_from", choice(RepliesFrom), RepliesFrom.ANYONE),
        section.flag("observe", default=observe),
        section.numbers("asns", asn),
        named,
    )
    if not section.gives("ports"):
        section.complain(
            Mistake(
                tr("has no ports"),
                tr('ports such as ["5060/udp"]; to fence none, write enabled = false'),
            ),
            "ports",
        )
    return service


def _find_overlaps(services: Mapping[str, Service], sections: Mapping[str, Section]) -> None:
    """Complain about ports that are in two ranges, of two services or of one."""
    ranges = sorted((ports, name) for name, service in services.items() for ports in service.ports)
    widest, one = ranges[0] if ranges else (None, "")
    for here, other in ranges[1:]:
        if widest and widest.overlaps(here) and (widest, one) != (here, other):
            place = sections[one].place("ports")
            sections[other].complain(_overlap(here, widest, f"service.{one}", place), "ports")
        if widest is None or (here.protocol, here.last) > (widest.protocol, widest.last):
            widest, one = here, other


def _overlap(here: Ports, widest: Ports, service: str, place: Origin) -> Mistake:
    wrong = tr(
        "{ports} overlaps {others} of {service} ({place})",
        ports=here,
        others=widest,
        service=service,
        place=place,
    )
    expected = tr("each port in one service only, and only once")
    return Mistake(wrong, expected, *_split(widest, here))


def _split(one: Ports, other: Ports) -> tuple[str, ...]:
    """Return how to write the wider range without the narrower; nothing if nothing is left."""
    outer, inner = sorted((one, other), key=lambda ports: ports.first - ports.last)
    if not (outer.first <= inner.first and inner.last <= outer.last):
        return ()
    ends = ((outer.first, inner.first - 1), (inner.last + 1, outer.last))
    left = [Ports(outer.protocol, first, last) for first, last in ends if first <= last]
    named = ", ".join(quoted(str(each)) for each in left)
    return (tr("{ports} instead of {range}", ports=f"[{named}]", range=outer),) if left else ()


def _exceptions(
    sections: Mapping[str, Section], services: Collection[str]
) -> tuple[NamedException, ...]:
    found = tuple(_exception(name, section, services) for name, section in sections.items())
    for exception in found:
        if exception.group and exception.group in sections:
            mistake = Mistake(
                tr("{name} is the name of an exception", name=quoted(exception.group)),
                tr("a group name that no exception has"),
            )
            sections[exception.name].complain(mistake, "group")
    for name, section in sections.items():
        if "services" in section and not section.gives("services"):
            section.complain(_no_services(), "services")
        if "within" in section and not (section.gives("within") and section.gives(*_LISTED)):
            section.complain(_limits_nothing(), "within")
        if "grace" in section and not section.gives(*_NAMES):
            mistake = Mistake(
                tr("is for names in DNS only"), tr("hosts, srv or sip; or leave it out")
            )
            section.complain(mistake, "grace")
        if not section.gives(*_LISTED, "prefixes"):
            others = [other for other in sections if sections[other].gives(*_LISTED, "prefixes")]
            section.complain(_no_addresses(name, section, others))
    return found


def _exception(name: str, section: Section, services: Collection[str]) -> NamedException:
    exception = NamedException(
        name,
        description=section.text("description"),
        hosts=section.values("hosts", host_name) or (),
        srv=section.values("srv", srv_name) or (),
        sip=section.values("sip", host_name) or (),
        prefixes=_space(section),
        last_known=_space(section, "last_known"),
        within=_space(section, "within"),
        grace=section.value("grace", grace, GRACE),
        services=section.values("services", service_name(services)) or (),
        group=section.value("group", rule_name, None),
        enabled=section.flag("enabled", default=True),
        note=section.text("note"),
        until=_end(section),
    )
    return with_feed(with_catalog(exception, section), section)


def _country_switches(
    sections: Mapping[str, Section], services: Collection[str]
) -> tuple[CountrySwitch, ...]:
    return tuple(
        _country_switch(code.upper(), section, services) for code, section in sections.items()
    )


def _country_switch(code: str, section: Section, services: Collection[str]) -> CountrySwitch:
    if not is_owned(section.origin.file):
        section.complain(_by_hand_only())
    if "services" in section and not section.gives("services"):
        section.complain(_no_services(), "services")
    allowed = section.flag("allowed", default=True)
    return CountrySwitch(
        code,
        allowed,
        services=section.values("services", service_name(services)) or (),
        note=section.text("note"),
        until=_end(section, allowed=allowed),
        revoked_after=section.flag("revoked_after", default=False),
    )


def _end(section: Section, *, allowed: bool = True) -> datetime | None:
    """Return when something stops being allowed; only ``allow`` writes that."""
    if "until" not in section:
        return None  # not asked for, so that no message offers the key
    until = section.moment("until")
    if until and not is_owned(section.place("until").file):
        section.complain(_by_hand_only(), "until")
    if until and not allowed:
        mistake = Mistake(tr("ends, but is not allowed"), tr("an end only of what is allowed"))
        section.complain(mistake, "until")
    return until


def _by_hand_only() -> Mistake:
    return Mistake(
        tr("only 'geofence allow' and 'geofence revoke' write this"),
        tr("it in {file} only; run one of these commands", file=OWNED_FILE),
    )


def _no_services() -> Mistake:
    return Mistake(
        tr("contains no service"),
        tr("services; without the key the exception is for all, with enabled = false for none"),
    )


def _limits_nothing() -> Mistake:
    return Mistake(
        tr("limits nothing"),
        tr("hosts, srv, sip or a feed, and the prefixes that they may have; or leave the key out"),
    )


def _no_addresses(name: str, section: Section, others: Collection[str]) -> Mistake:
    """Return the mistake; mostly a switch for an exception that was renamed or removed."""
    if set(section) == {"enabled"}:
        return Mistake(
            tr("is enabled or disabled here, but no rule defines it"),
            tr("hosts, srv, sip, feed or prefixes, here or in another file"),
            *nearest(name, others),
        )
    return Mistake(tr("has no addresses"), one_of(("hosts", "srv", "sip", "feed", "prefixes")))


def _blocklist(name: str, section: Section) -> Blocklist:
    one, several = section.value("url", url, None), section.values("urls", url)
    if section.gives("url") and section.gives("urls"):
        section.complain(Mistake(tr("has both url and urls"), tr("one of them")), "url")
    if not section.gives("url", "urls", "parts", "prefixes"):
        expected = one_of(("url", "urls", "parts", "prefixes"))
        section.complain(Mistake(tr("has no addresses"), expected))
    blocklist = Blocklist(
        name,
        description=section.text("description"),
        urls=(one,) if one else several or (),
        prefixes=_space(section),
        enabled=section.flag("enabled", default=True),
        format=section.value("format", list_format(ListKind.BLOCKLIST), None),
        checksum=section.value("checksum", checksum, None),
    )
    return with_source(blocklist, section)


def _command(notify: Section) -> tuple[str, ...]:
    """Read a program's absolute path and its arguments."""
    command = notify.values("command", argument, distinct=False) or ()
    if command and not command[0].startswith("/"):
        notify.complain(
            Mistake(
                tr("{value} is not an absolute path", value=quoted(command[0])),
                tr(
                    'the path of a program and its arguments, such as ["/usr/local/bin/tell", '
                    '"me"], without shell syntax'
                ),
            ),
            "command",
        )
    return command
