"""iax.conf: where chan_iax2 listens, and its peers."""

from __future__ import annotations

from geofence.asterisk.addresses import HostPort, has_placeholder, is_name, literal, split_port
from geofence.asterisk.configuration import Configuration, Object, is_true
from geofence.asterisk.findings import Findings
from geofence.asterisk.peers import add_host
from geofence.asterisk.reading import Listener, Use, WarningKind
from geofence.asterisk.sections import Section, printable
from geofence.asterisk.web import families
from geofence.model.policy import Protocol

_IAX = "iax.conf"
_PORT = 4569
_LOWEST = 1024
_ANY = "0.0.0.0"  # noqa: S104 - where chan_iax2 listens unless it is told otherwise
_HIGHEST = 65535


def read_iax(configuration: Configuration, found: Findings) -> None:
    """Read iax.conf."""
    loaded = configuration.file(_IAX)
    if not loaded.counts:
        return
    if not configuration.runs("chan_iax2"):
        found.warn(WarningKind.MODULE_NOT_LOADED, "modules.conf", module="chan_iax2")
        return
    general = loaded.section("general")
    _listeners(found, general)
    srv = general is not None and is_true(general.last("srvlookup"))
    for key in general.named("register") if general else ():
        _register(found, Object(Section("general", key.file, key.line), "general"), key.value, srv)
    for section in loaded.live:
        if section is not general and section.name.lower() != "general":
            _peer(found, section, srv)
    for family in ("iaxpeers", "iaxusers"):
        if family in configuration.tables:
            found.unsee(
                WarningKind.REALTIME,
                "extconfig.conf",
                what=family,
                table=configuration.tables[family],
            )


def _listeners(found: Findings, general: Section | None) -> None:
    port = _PORT
    where = general.where if general else _IAX
    bound: list[HostPort] = []
    for key in general.keys if general else ():
        name = key.name.lower()
        if name == "bindport":
            number = int(key.value) if _is_number(key.value) else 0
            port = number if _LOWEST <= number <= _HIGHEST else _PORT
        elif name == "bindaddr":
            parsed = _bind(found, where, key.value)
            if parsed is not None:
                bound.append(HostPort(parsed.host, parsed.port or port))
    for each in _distinct(bound or [HostPort(_ANY, port)]):
        _listen(found, where, each)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(_HIGHEST))


def _bind(found: Findings, where: str, value: str) -> HostPort | None:
    if has_placeholder(value):
        found.unsee(WarningKind.PLACEHOLDER, where, option="bindaddr", value=printable(value))
        return None
    parsed = split_port(value)
    if parsed is None or parsed.address is None:
        found.warn(WarningKind.VALUE_INVALID, where, option="bindaddr", value=printable(value))
        return None
    return parsed


def _distinct(bound: list[HostPort]) -> list[HostPort]:
    """Leave out sockets that another one includes: ``::`` serves IPv4, too."""
    both = {each.port for each in bound if families(each.address) == frozenset({4, 6})}
    return [each for each in dict.fromkeys(bound) if each.host != _ANY or each.port not in both]


def _listen(found: Findings, where: str, each: HostPort) -> None:
    address = each.address
    if address is None:
        return
    if not address.is_unspecified:
        found.own.add(str(address))
    found.listeners.append(
        Listener(
            Protocol.UDP,
            each.port,
            families(address),
            str(address),
            Use.IAX,
            where,
            exposed=not address.is_loopback,
        )
    )


def _peer(found: Findings, section: Section, srv: bool) -> None:
    """Add the host of a peer or friend; users only have passwords."""
    kind = (section.last("type") or "").lower()
    host = section.last("host")
    if kind not in ("peer", "friend") or not host or host.lower() == "dynamic":
        return
    each = Object(section, f"{_IAX} [{printable(section.name)}]")
    _add(found, each, "host", host, section.last("port"), srv=srv)


def _register(found: Findings, each: Object, value: str, srv: bool) -> None:
    """Add the server of ``user:password@host:port``."""
    host = value.rpartition("@")[2].split("/")[0].split("?")[0]
    each = Object(each.section, _IAX)
    _add(found, each, "register", host, None, srv=srv)


def _add(  # noqa: PLR0913 - what a peer has
    found: Findings, each: Object, option: str, host: str, port: str | None, *, srv: bool
) -> None:
    if has_placeholder(host):
        found.unsee(WarningKind.PLACEHOLDER, each.where, option=option, value=printable(host))
        return
    parsed = split_port(host)
    if parsed is None or (literal(parsed.host) is None and not is_name(parsed.host)):
        found.warn(WarningKind.VALUE_INVALID, each.where, option=option, value=printable(host))
        return
    given = parsed.port or (int(port) if port and _is_number(port) else 0)
    looked_up = srv and not given and literal(parsed.host) is None
    where = HostPort(parsed.host, 0 if looked_up else given or _PORT)
    add_host(found, each, option, where, use=Use.IAX, srv=looked_up)
