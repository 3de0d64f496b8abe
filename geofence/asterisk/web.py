"""http.conf: Asterisk's own web server, which WebSockets use, too."""

from __future__ import annotations

from typing import NamedTuple

from geofence.asterisk.addresses import (
    Address,
    HostPort,
    has_placeholder,
    is_name,
    literal,
    port_number,
    split_port,
)
from geofence.asterisk.configuration import Configuration, is_true
from geofence.asterisk.findings import Findings
from geofence.asterisk.reading import Listener, Use, WarningKind
from geofence.asterisk.sections import Section, printable
from geofence.model.policy import Protocol

_HTTP_PORT, _HTTPS_PORT = 8088, 8089
_BOTH = frozenset({4, 6})


class _Settings(NamedTuple):
    """What ``[general]`` says; the last value of a key counts."""

    enabled: bool
    bindaddr: str | None
    bindport: int
    tls: bool
    tls_bindaddr: str | None
    certificate: str | None


def read_http(configuration: Configuration, found: Findings) -> None:
    """Read http.conf."""
    loaded = configuration.file("http.conf")
    section = loaded.section("general") if loaded.counts else None
    if section is None:
        return
    settings = _settings(section)
    plain = None
    if settings.enabled and not settings.bindaddr:
        found.warn(WarningKind.HTTP_WITHOUT_ADDRESS, section.where)
    elif settings.enabled:
        plain = _address(found, section, "bindaddr", settings.bindaddr or "", settings.bindport)
        if plain is not None:
            _listen(found, section, plain, Use.HTTP)
    if settings.tls:
        _read_tls(found, section, settings, plain)


def _settings(section: Section) -> _Settings:
    last = {_SPELT.get(key.name.lower(), key.name.lower()): key.value for key in section.keys}
    return _Settings(
        is_true(last.get("enabled")),
        last.get("bindaddr"),
        port_number(last.get("bindport", "")) or _HTTP_PORT,
        is_true(last.get("tlsenable")),
        last.get("tlsbindaddr"),
        last.get("tlscertfile"),
    )


_SPELT = {
    "sslenable": "tlsenable",
    "sslbindaddr": "tlsbindaddr",
    "sslcert": "tlscertfile",
    "tlscert": "tlscertfile",
}
"""Older names that still work."""


def _read_tls(
    found: Findings, section: Section, settings: _Settings, plain: HostPort | None
) -> None:
    bound = None
    if settings.tls_bindaddr:
        bound = _address(found, section, "tlsbindaddr", settings.tls_bindaddr, _HTTPS_PORT)
    elif plain is not None:
        bound = HostPort(plain.host, _HTTPS_PORT)
    if bound is None:
        return
    if not settings.certificate:
        found.warn(WarningKind.NO_CERTIFICATE, section.where)
    else:
        _listen(found, section, bound, Use.HTTPS)


def _address(
    found: Findings, section: Section, option: str, value: str, port: int
) -> HostPort | None:
    """Return where to listen; None where it is not known or not valid."""
    if has_placeholder(value):
        found.unsee(WarningKind.PLACEHOLDER, section.where, option=option, value=printable(value))
        return None
    parsed = split_port(value)
    if parsed is None or (parsed.address is None and not is_name(parsed.host)):
        found.warn(WarningKind.VALUE_INVALID, section.where, option=option, value=printable(value))
        return None
    host = "127.0.0.1" if parsed.host.lower() == "localhost" else parsed.host
    if literal(host) is None:
        found.unsee(WarningKind.NAME_TO_RESOLVE, section.where, option=option, value=value)
    return HostPort(host, parsed.port or port)


def _listen(found: Findings, section: Section, bound: HostPort, use: Use) -> None:
    address = bound.address
    if address is not None and not address.is_unspecified:
        found.own.add(str(address))
    found.listeners.append(
        Listener(
            Protocol.TCP,
            bound.port,
            families(address),
            bound.host if address is None else str(address),
            use,
            section.where,
            exposed=address is None or not address.is_loopback,
            certain=address is not None,
        )
    )


def families(address: Address | None) -> frozenset[int]:
    """Return whom a socket serves that is not SIP's: ``::`` is for both families."""
    if address is None or (address.version != min(_BOTH) and address.is_unspecified):
        return _BOTH
    return frozenset({address.version})
