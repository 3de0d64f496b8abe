"""The schema of rules: merged drop-ins in, a checked policy out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from geofence.model.lists import ListId, ListKind
from geofence.model.policy import (
    GRACE,
    BackendChoice,
    Blocklist,
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
from geofence.policy.countries import country_code
from geofence.policy.mistakes import Mistake, Problems
from geofence.policy.quantities import age, grace, jitter, ports, time_of_day
from geofence.policy.table_reader import (
    Section,
    argument,
    blocklist_name,
    choice,
    helper_name,
    rule_name,
    service_name,
)
from geofence.policy.toml_tree import Table
from geofence.policy.urls import FAMILY, country_template, url
from geofence.spelling import nearest, one_of, quoted
from geofence.translation import tr

LONGEST_SERVICE_NAME = 12
"""Characters; names of kernel sets contain it and may have 31 (linux/netfilter/ipset)."""

_DEFAULT = Policy()
_NAMES = ("hosts", "srv")
"""Keys with names in DNS."""
_NAMED = ("service", "exception", "blocklist", "source")
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
    blocklists = root.named("blocklist")
    allow, local, source = root.table("allow"), root.table("local"), root.table("source")
    lists, guard, boot = root.table("lists"), root.table("guard"), root.table("boot")
    notify, daemon = root.table("notify"), root.table("daemon")
    country_urls, country_format = _country_source(source.table("country"))
    networks = local.values("prefixes", local_network) or ()
    policy = Policy(
        services=_services(services),
        countries=allow.values("countries", country_code) or (),
        local=AddressSpace.of(each for each in networks if isinstance(each, Prefix)),
        local_on=tuple(each for each in networks if isinstance(each, LocalNetwork)),
        link_local=local.values("link_local", interface) or (),
        interfaces=local.values("interfaces", interface) or (),
        exceptions=_exceptions(exceptions, services),
        blocklists=tuple(_blocklist(name, section) for name, section in blocklists.items()),
        country_urls=country_urls,
        country_format=country_format,
        backend=root.value("backend", choice(BackendChoice), _DEFAULT.backend),
        without_ruleset=boot.value(
            "without_ruleset", choice(WithoutRuleset), _DEFAULT.without_ruleset
        ),
        notify_command=_command(notify),
        shrink_limits=_shrink_limits(guard.table("shrink"), blocklists),
        max_age=lists.value("max_age", age, _DEFAULT.max_age),
        daemon_at=daemon.value("at", time_of_day, _DEFAULT.daemon_at),
        daemon_jitter=daemon.value("jitter", jitter, _DEFAULT.daemon_jitter),
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


def _services(sections: Mapping[str, Section]) -> tuple[Service, ...]:
    """Return the services that are fenced; those that are disabled are checked, too."""
    everything = {name: _service(name, section) for name, section in sections.items()}
    fenced = {
        name: service
        for name, service in everything.items()
        if sections[name].flag("enabled", default=True)
    }
    _find_overlaps(fenced, sections)
    return tuple(fenced.values())


def _service(name: str, section: Section) -> Service:
    service = Service(
        name,
        section.values("ports", ports) or (),
        section.values("countries", country_code),
        section.text("description"),
        section.values("helpers", helper_name) or (),
        section.value("replies_from", choice(RepliesFrom), RepliesFrom.ANYONE),
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
        if "within" in section and not (section.gives("within") and section.gives(*_NAMES)):
            section.complain(_limits_nothing(), "within")
        if "grace" in section and not section.gives(*_NAMES):
            section.complain(_graces_nothing(), "grace")
        if not section.gives(*_NAMES, "prefixes"):
            others = [other for other in sections if sections[other].gives(*_NAMES, "prefixes")]
            section.complain(_no_addresses(name, section, others))
    return found


def _exception(name: str, section: Section, services: Collection[str]) -> NamedException:
    return NamedException(
        name,
        description=section.text("description"),
        hosts=section.values("hosts", host_name) or (),
        srv=section.values("srv", srv_name) or (),
        prefixes=_space(section),
        last_known=_space(section, "last_known"),
        within=_space(section, "within"),
        grace=section.value("grace", grace, GRACE),
        services=section.values("services", service_name(services)) or (),
        group=section.value("group", rule_name, None),
        enabled=section.flag("enabled", default=True),
    )


def _no_services() -> Mistake:
    return Mistake(
        tr("contains no service"),
        tr("services; without the key the exception is for all, with enabled = false for none"),
    )


def _limits_nothing() -> Mistake:
    return Mistake(
        tr("limits nothing"),
        tr("hosts or srv, and the prefixes that they may resolve to; or leave the key out"),
    )


def _graces_nothing() -> Mistake:
    return Mistake(tr("is for names in DNS only"), tr("hosts or srv; or leave the key out"))


def _no_addresses(name: str, section: Section, others: Collection[str]) -> Mistake:
    """Return the mistake; mostly a switch for an exception that was renamed or removed."""
    if set(section) == {"enabled"}:
        return Mistake(
            tr("is enabled or disabled here, but no rule defines it"),
            tr("hosts, srv or prefixes, here or in another file"),
            *nearest(name, others),
        )
    return Mistake(tr("has no addresses"), one_of(("hosts", "srv", "prefixes")))


def _blocklist(name: str, section: Section) -> Blocklist:
    one, several = section.value("url", url, None), section.values("urls", url)
    if section.gives("url") and section.gives("urls"):
        section.complain(Mistake(tr("has both url and urls"), tr("one of them")), "url")
    if not section.gives("url", "urls", "prefixes"):
        section.complain(Mistake(tr("has no addresses"), one_of(("url", "urls", "prefixes"))))
    return Blocklist(
        name,
        description=section.text("description"),
        urls=(one,) if one else several or (),
        prefixes=_space(section),
        enabled=section.flag("enabled", default=True),
        format=section.value("format", _list_format(ListKind.BLOCKLIST), None),
    )


def _country_source(section: Section) -> tuple[tuple[str, ...], str | None]:
    """Return the URLs of country lists, and the format that the rules give."""
    urls = section.values("urls", country_template) or ()
    given = section.value("format", _list_format(ListKind.COUNTRY), None)
    by_family = next((each for each in urls if FAMILY in each), None)
    if given and by_family and not _is_by_family(given):
        section.complain(
            Mistake(
                tr(
                    "{url} has {{family}}, but a {format} list has both families",
                    url=quoted(by_family),
                    format=given,
                ),
                tr("URLs without {family}, or no format"),
            ),
            "format",
        )
    return urls, given


def _is_by_family(name: str) -> bool:
    from geofence.lists.formats import format_named

    return format_named(name).by_family


def _list_format(kind: ListKind) -> Callable[[str], str]:
    """Return a reader of the names of formats that lists of a kind can have."""

    def read(text: str) -> str:
        # Not at the top: rules without the key, as at boot, need no parser of lists.
        from geofence.lists.formats import format_names

        known = format_names(kind)
        if text in known:
            return text
        wrong = tr("unknown list format {format}", format=quoted(text))
        raise Mistake(wrong, one_of(known), *nearest(text, known))

    return read


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


def _shrink_limits(shrink: Section, blocklists: Collection[str]) -> dict[str, float]:
    limits: dict[str, float] = {}
    for key in shrink:
        limit = shrink.percent(key)
        try:
            wanted = _list_name(key, blocklists)
        except Mistake as mistake:
            shrink.complain(mistake, key)
            continue
        if wanted in limits:
            again = tr("{list} is repeated", list=wanted)
            shrink.complain(Mistake(again, tr("each list only once")), key)
        limits[wanted] = limit
    return limits


_KINDS = (ListKind.COUNTRY, ListKind.BLOCKLIST)
"""Kinds of lists that have a shrink guard; a host name may resolve to other addresses entirely."""


def _list_name(text: str, blocklists: Collection[str]) -> str:
    """Read ``country JP`` or ``blocklist NAME``, or a kind for all of its lists."""
    kind, blank, name = text.partition(" ")
    if kind not in _KINDS:
        expected = tr(
            '"country JP" or "blocklist NAME"; "country" or "blocklist" stands for all of a kind'
        )
        wrong = tr("{value} is not the name of a list", value=quoted(text))
        raise Mistake(wrong, expected, *nearest(kind, _KINDS))
    if not blank:
        return kind
    if kind == ListKind.COUNTRY:
        return str(ListId(ListKind.COUNTRY, country_code(name)))
    return str(ListId(ListKind.BLOCKLIST, blocklist_name(blocklists)(name)))
