"""Tables of rules that follow from Asterisk's configuration. Pure.

Comments are English, as all rules files are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from geofence.asterisk.additions import DerivedException, FencedPorts
from geofence.asterisk.trunk_exceptions import PREFIX
from geofence.model.asterisk import DIRECTORY
from geofence.model.policy import NamedException, Ports, Protocol, Service
from geofence.model.prefixes import address_texts
from geofence.setup.machine import Existing, Machine
from geofence.setup.rules_file import RulesTable, Value

_HOLDER = "asterisk"
"""The name of Asterisk's process."""
_SIP = "sip"
_SIP_PORTS = range(5060, 5100)
_DERIVED = ("service.", f"exception.{PREFIX}")
"""How headings of tables begin that follow from the configuration."""
_PBXES = ("asterisk", "freeswitch", "kamailio", "opensips")


def asterisk_tables(found: Machine, existing: Existing) -> Iterator[RulesTable]:
    """Yield the tables by which rules follow the configuration."""
    yield from _asterisk(found, existing, follow=True)
    yield from _services(found, existing, only_privileged=True)


def _asterisk(found: Machine, existing: Existing, *, follow: bool) -> Iterator[RulesTable]:
    """Yield the table that says where the configuration is, unless the operator's files do."""
    if existing.says("asterisk.follow"):
        return
    said = existing.setup.get("asterisk", {}).get("directory", DIRECTORY)
    place = str(found.asterisk.directory or said)
    keys: dict[str, Value] = {"follow": follow}
    if place != DIRECTORY:
        keys["directory"] = place
    if follow or place != DIRECTORY:
        yield RulesTable("asterisk", keys, tuple(_seen(found)) if follow else ())


def fixed_tables(found: Machine, existing: Existing) -> Iterator[RulesTable]:
    """Yield services and exceptions as they are now; without a configuration, what listens.

    What cannot be read now stays as it was written before.
    """
    yield from _asterisk(found, existing, follow=False)
    made = {each.heading: each for each in _fixed(found, existing)}
    reading = found.asterisk.reading
    if reading is None or reading.invalid:
        made = {**{each.heading: each for each in _before(existing)}, **made}
    yield from made.values()


def _fixed(found: Machine, existing: Existing) -> Iterator[RulesTable]:
    yield from _services(found, existing, only_privileged=False)
    derived = found.asterisk.derived
    for each in derived.exceptions if derived else ():
        if not each.broad and not _is_there(each.exception, existing):
            yield _exception(each)


def _before(existing: Existing) -> Iterator[RulesTable]:
    for heading, keys in existing.setup.items():
        if heading.startswith(_DERIVED):
            yield RulesTable(heading, {key: _value(value) for key, value in keys.items()})


def _value(value: object) -> Value:
    return value if isinstance(value, (bool, str, tuple)) else str(value)


def _seen(found: Machine) -> Iterator[str]:
    """Yield what the configuration says now."""
    derived = found.asterisk.derived
    yield (
        f"Services and trunks come from Asterisk's configuration in {found.asterisk.directory}, "
        "which is read again at each refresh. Now it has:"
    )
    for ports in derived.fenced if derived else ():
        yield f"- {ports.ports} for {ports.service}: {ports.source}"
    for each in derived.exceptions if derived else ():
        yield f"- trunk {_whom(each.exception)}: {'; '.join(each.sources)}"


def _whom(exception: NamedException) -> str:
    return ", ".join((*exception.hosts, *exception.sip, *address_texts(exception.prefixes)))


def _services(found: Machine, existing: Existing, *, only_privileged: bool) -> Iterator[RulesTable]:
    """Yield the services that get ports which the rules do not fence."""
    known = {service.name: service for service in existing.policy.services}
    by_name: dict[str, list[FencedPorts]] = {}
    for each in unfenced(found, existing):
        if each.privileged or not only_privileged:
            by_name.setdefault(each.service, []).append(each)
    for name, added in by_name.items():
        before = known.get(name, Service(name, ())).ports
        ports = tuple(map(str, _joined((*before, *(each.ports for each in added)))))
        yield RulesTable(f"service.{name}", {"ports": ports}, tuple(_sources(added)))


def _sources(added: Iterable[FencedPorts]) -> Iterator[str]:
    """Yield what each source adds."""
    by_source: dict[str, list[str]] = {}
    for each in added:
        by_source.setdefault(each.source, []).append(str(each.ports))
    for source, ports in by_source.items():
        yield f"{', '.join(ports)}: {source}"


def _joined(ports: Iterable[Ports]) -> Iterator[Ports]:
    """Yield ranges, neighbours as one; no two of them overlap."""
    last: Ports | None = None
    for each in sorted(ports, key=lambda one: (one.protocol == Protocol.TCP, one.first)):
        if last and last.protocol is each.protocol and last.last + 1 == each.first:
            last = Ports(last.protocol, last.first, each.last)
            continue
        if last:
            yield last
        last = each
    if last:
        yield last


def unfenced(found: Machine, existing: Existing) -> tuple[FencedPorts, ...]:
    """Return ports to fence that the rules do not: by the configuration, else by what listens."""
    derived = found.asterisk.derived
    if derived is None:
        return tuple(_listening(found, existing))
    return tuple(
        each
        for each in derived.missing
        if not each.disabled and (not each.privileged or _is_held(each.ports, found))
    )


def _is_held(ports: Ports, found: Machine) -> bool:
    """Whether Asterisk itself holds one of the ports, so that no other program is meant."""
    return any(
        each.protocol is ports.protocol
        and each.port in ports
        and any(holder.program == _HOLDER for holder in each.holders)
        for each in found.sockets
    )


def _listening(found: Machine, existing: Existing) -> Iterator[FencedPorts]:
    """Yield SIP's usual ports on which a PBX listens."""
    held = [ports for service in existing.policy.services for ports in service.ports]
    for each in found.sockets:
        ports = Ports(each.protocol, each.port, each.port)
        programs = [holder.program for holder in each.holders if holder.program in _PBXES]
        if programs and each.exposed and each.port in _SIP_PORTS and not _any(ports, held):
            held.append(ports)
            yield FencedPorts(_SIP, ports, f"{programs[0]} listens on it")


def _any(ports: Ports, held: Iterable[Ports]) -> bool:
    return any(ports.overlaps(each) for each in held)


def _is_there(exception: NamedException, existing: Existing) -> bool:
    """Whether one exception of the rules allows all of it already."""
    return any(
        each.enabled
        and set(exception.hosts) <= set(each.hosts)
        and set(exception.srv) <= set(each.srv)
        and set(exception.sip) <= set(each.sip)
        and not exception.prefixes - each.prefixes
        and all(map(each.opens, exception.services))
        for each in existing.policy.exceptions
    )


def _exception(derived: DerivedException) -> RulesTable:
    exception = derived.exception
    lists: dict[str, tuple[str, ...]] = {
        "hosts": exception.hosts,
        "srv": exception.srv,
        "sip": exception.sip,
        "prefixes": tuple(address_texts(exception.prefixes)),
        "services": exception.services,
    }
    keys: dict[str, Value] = {key: value for key, value in lists.items() if value}
    if exception.group:
        keys["group"] = exception.group
    return RulesTable(f"exception.{exception.name}", keys, (f"{'; '.join(derived.sources)}.",))
