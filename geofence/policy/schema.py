"""What rules may say: the merged drop-ins in, a checked policy out."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from geofence.countries import country_code
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import (
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
from geofence.policy.addresses import host_name, interface, local_network, prefix
from geofence.policy.mistakes import Mistake, Problems, nearest, one_of, quoted
from geofence.policy.quantities import age, jitter, ports, time_of_day
from geofence.policy.table_reader import Section, any_of, argument, choice, helper_name, rule_name
from geofence.policy.toml_tree import Table
from geofence.policy.urls import country_template, url

LONGEST_SERVICE_NAME = 12
"""Characters, so that names of kernel sets made of it stay within 31 (linux/netfilter/ipset)."""

_DEFAULT = Policy()
_NO_SERVICES = Mistake(
    "names no service",
    "those that it opens; without the key it opens all of them, with enabled = false none",
)
_PINS_NOTHING = Mistake(
    "limits nothing", "hosts, and the prefixes that they may resolve to; or leave the key out"
)
_NAMED = ("service", "exception", "blocklist", "source")
"""Tables that hold a table for each thing they are about."""


def read_policy(rules: Table, problems: Problems) -> Policy:
    """The policy that the merged rules stand for.

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
        country_urls=source.table("country").values("urls", country_template) or (),
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
    """The services that are fenced; one that is switched off is checked all the same."""
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
                "has no ports", 'ports = ["5060/udp"] or the like; enabled = false fences none'
            ),
            "ports",
        )
    return service


def _find_overlaps(services: Mapping[str, Service], sections: Mapping[str, Section]) -> None:
    """Complain of ports that are in two ranges, be they of two services or of one."""
    ranges = sorted((ports, name) for name, service in services.items() for ports in service.ports)
    widest, one = ranges[0] if ranges else (None, "")
    for here, other in ranges[1:]:
        if widest and widest.overlaps(here) and (widest, one) != (here, other):
            place = sections[one].place("ports")
            wrong = f"{here} overlaps {widest} of service.{one} ({place})"
            expected = "each port in one service only, and only once"
            guesses = _split(widest, here)
            sections[other].complain(Mistake(wrong, expected, *guesses), "ports")
        if widest is None or (here.protocol, here.last) > (widest.protocol, widest.last):
            widest, one = here, other


def _split(one: Ports, other: Ports) -> tuple[str, ...]:
    """The ports of the wider range that the narrower leaves; none where that leaves nothing."""
    outer, inner = sorted((one, other), key=lambda ports: ports.first - ports.last)
    if not (outer.first <= inner.first and inner.last <= outer.last):
        return ()
    ends = ((outer.first, inner.first - 1), (inner.last + 1, outer.last))
    left = [Ports(outer.protocol, first, last) for first, last in ends if first <= last]
    named = ", ".join(quoted(str(each)) for each in left)
    return (f"[{named}] instead of {outer}",) if left else ()


def _exceptions(
    sections: Mapping[str, Section], services: Collection[str]
) -> tuple[NamedException, ...]:
    found = tuple(_exception(name, section, services) for name, section in sections.items())
    for exception in found:
        if exception.group and exception.group in sections:
            mistake = Mistake(
                f"{quoted(exception.group)} is the name of an exception",
                "a group name that no exception has",
            )
            sections[exception.name].complain(mistake, "group")
    for name, section in sections.items():
        if "services" in section and not section.gives("services"):
            section.complain(_NO_SERVICES, "services")
        if "within" in section and not (section.gives("within") and section.gives("hosts")):
            section.complain(_PINS_NOTHING, "within")
        if not section.gives("hosts", "prefixes"):
            others = [other for other in sections if sections[other].gives("hosts", "prefixes")]
            section.complain(_no_addresses(name, section, others))
    return found


def _exception(name: str, section: Section, services: Collection[str]) -> NamedException:
    return NamedException(
        name,
        description=section.text("description"),
        hosts=section.values("hosts", host_name) or (),
        prefixes=_space(section),
        last_known=_space(section, "last_known"),
        within=_space(section, "within"),
        services=section.values("services", any_of(services, "service")) or (),
        group=section.value("group", rule_name, None),
        enabled=section.flag("enabled", default=True),
    )


def _no_addresses(name: str, section: Section, others: Collection[str]) -> Mistake:
    """The usual reason is a switch for an exception that is called otherwise or is gone."""
    if set(section) <= {"enabled"}:
        return Mistake(
            "is switched on or off here, but no rule says what it is",
            "hosts or prefixes, here or in another file",
            *nearest(name, others),
        )
    return Mistake("has neither hosts nor prefixes", "at least one of them")


def _blocklist(name: str, section: Section) -> Blocklist:
    one, several = section.value("url", url, None), section.values("urls", url)
    if section.gives("url") and section.gives("urls"):
        section.complain(Mistake("has both url and urls", "one of them"), "url")
    if not section.gives("url", "urls", "prefixes"):
        section.complain(Mistake("has no addresses", "one of url, urls or prefixes"))
    return Blocklist(
        name,
        description=section.text("description"),
        urls=(one,) if one else several or (),
        prefixes=_space(section),
        enabled=section.flag("enabled", default=True),
    )


def _command(notify: Section) -> tuple[str, ...]:
    """A program's absolute path and its arguments."""
    command = notify.values("command", argument, distinct=False) or ()
    if command and not command[0].startswith("/"):
        notify.complain(
            Mistake(
                f"{quoted(command[0])} is no absolute path",
                'the path of a program and its arguments, such as ["/usr/local/bin/tell", "me"]; '
                "no shell reads it",
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
            shrink.complain(Mistake(f"{wanted} again", "each list only once"), key)
        limits[wanted] = limit
    return limits


_KINDS = (ListKind.COUNTRY, ListKind.BLOCKLIST)
"""Kinds of lists that have a shrink guard; what a host name stands for may change altogether."""


def _list_name(text: str, blocklists: Collection[str]) -> str:
    """``country JP`` and the like, or a kind for all of its lists."""
    kind, blank, name = text.partition(" ")
    if kind not in _KINDS:
        expected = f'"country JP", "blocklist NAME", or {one_of(_KINDS)} for all of the kind'
        raise Mistake(f"{quoted(text)} is no list", expected, *nearest(kind, _KINDS))
    if not blank:
        return kind
    if kind == ListKind.COUNTRY:
        return str(ListId(ListKind.COUNTRY, country_code(name)))
    return str(ListId(ListKind.BLOCKLIST, any_of(blocklists, "blocklist")(name)))
