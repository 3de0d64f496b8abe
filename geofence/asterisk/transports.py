"""Transports of pjsip.conf: where Asterisk listens for SIP, and its networks."""

from __future__ import annotations

from typing import NamedTuple

from geofence.asterisk.addresses import (
    Address,
    HostPort,
    Network,
    has_placeholder,
    is_name,
    literal,
    network,
    old_form,
    split_port,
    without,
)
from geofence.asterisk.configuration import Object
from geofence.asterisk.findings import Findings
from geofence.asterisk.options import KNOWN, NOT_IN_ALL_VERSIONS
from geofence.asterisk.reading import Listener, Use, WarningKind
from geofence.asterisk.sections import printable
from geofence.model.policy import Protocol

_BOTH = frozenset({4, 6})
_PROTOCOLS = ("udp", "tcp", "tls", "ws", "wss", "flow")
_SIP_PORT, _SIPS_PORT = 5060, 5061


class _Bound(NamedTuple):
    """A socket that a transport asks for."""

    protocol: str
    address: Address | None
    """None where it is a name."""
    host: str
    port: int

    @property
    def taken(self) -> tuple[bool, str, int]:
        return self.protocol == "udp", self.host, self.port


class Transports:
    """Reads transports one after the other, as Asterisk starts them."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._taken: dict[tuple[bool, str, int], str] = {}

    def add(self, each: Object, *, certain: bool = True, alive: bool = True) -> None:
        """Read one transport.

        Args:
            each: the object.
            certain: whether its socket is open, as far as the other objects let it.
            alive: whether Asterisk keeps the object beside its socket.
        """
        unknown = self._unknown(each)
        protocol = self._protocol(each)
        nets = self._local_nets(each)
        if protocol is None or nets is None:
            return
        if protocol == "flow":
            return
        bound = self._bound(each, protocol)
        if bound is None or not self._free(each, bound):
            return
        certain = certain and not unknown
        self._external(each, bound, certain=certain and alive)
        if certain and alive:
            self._findings.local_nets += [
                new for new in nets if new not in self._findings.local_nets
            ]
        if bound.address is not None and not bound.address.is_unspecified:
            self._findings.own.add(str(bound.address))
            self._findings.families[each.section.name] = frozenset({bound.address.version})
        if protocol in ("udp", "tcp", "tls"):
            self._listen(each, bound, certain=certain and bound.address is not None)

    def _unknown(self, each: Object) -> bool:
        """Report options that a version of Asterisk does not know; whether there are any."""
        unknown = unknown_options(each, "transport")
        if unknown:
            self._findings.warn(WarningKind.OPTION_UNKNOWN, each.where, options=unknown)
        newer = [key.name for key in each.section.keys if key.name.lower() in NOT_IN_ALL_VERSIONS]
        if newer:
            self._findings.warn(WarningKind.OPTION_BY_VERSION, each.where, options=newer)
        return bool(unknown or newer)

    def _protocol(self, each: Object) -> str | None:
        value = each.section.last("protocol")
        if value is None:
            return "udp"
        if has_placeholder(value):
            self._placeholder(each, "protocol", value)
            return None
        if value.lower() not in _PROTOCOLS:
            self._invalid(each, "protocol", value)
            return None
        return value.lower()

    def _bound(self, each: Object, protocol: str) -> _Bound | None:
        value = each.section.last("bind")
        if value is None:
            self._findings.warn(WarningKind.OPTION_MISSING, each.where, option="bind")
            return None
        if has_placeholder(value):
            self._placeholder(each, "bind", value)
            return None
        parsed = split_port(value or "0.0.0.0")  # noqa: S104 - what Asterisk makes of it
        if parsed is None:
            self._invalid(each, "bind", value)
            return None
        return self._resolved(each, protocol, value, parsed)

    def _resolved(self, each: Object, protocol: str, value: str, parsed: HostPort) -> _Bound | None:
        host = "127.0.0.1" if parsed.host.lower() == "localhost" else parsed.host
        address = literal(host) or old_form(host)
        if address is None and not is_name(host):
            self._invalid(each, "bind", value)
            return None
        if address is None:
            self._findings.unsee(
                WarningKind.NAME_TO_RESOLVE, each.where, option="bind", value=value
            )
        port = parsed.port or (_SIPS_PORT if protocol == "tls" else _SIP_PORT)
        return _Bound(protocol, address, host if address is None else str(address), port)

    def _free(self, each: Object, bound: _Bound) -> bool:
        """Whether no transport before has the same socket."""
        if bound.protocol in ("ws", "wss"):
            return True
        other = self._taken.setdefault(bound.taken, each.where)
        if other != each.where:
            self._findings.warn(
                WarningKind.BOUND_TWICE,
                each.where,
                bind=f"{bound.host}:{bound.port}/{'udp' if bound.taken[0] else 'tcp'}",
                other=other,
            )
            return False
        return True

    def _listen(self, each: Object, bound: _Bound, *, certain: bool) -> None:
        address = bound.address
        self._findings.listeners.append(
            Listener(
                Protocol.UDP if bound.protocol == "udp" else Protocol.TCP,
                bound.port,
                _BOTH if address is None else frozenset({address.version}),
                bound.host,
                Use.SIPS if bound.protocol == "tls" else Use.SIP,
                each.where,
                exposed=address is None or not address.is_loopback,
                certain=certain,
            )
        )

    def _local_nets(self, each: Object) -> list[Network] | None:
        """Return the local networks of a transport; None if one makes Asterisk drop it."""
        nets: list[Network] = []
        for key in each.section.named("local_net"):
            if not key.value:
                nets = []
                continue
            for part in key.value.split(","):
                if has_placeholder(part):
                    self._placeholder(each, "local_net", part)
                    continue
                found = _entry(part)
                if found is None:
                    self._bad_net(each, part)
                    return None
                nets = without(nets, found) if part.startswith("!") else [*nets, found]
        return nets

    def _bad_net(self, each: Object, part: str) -> None:
        if _entry(part.strip()) is not None:
            self._findings.warn(WarningKind.SPACE_AFTER_COMMA, each.where, option="local_net")
        else:
            self._invalid(each, "local_net", part)

    def _external(self, each: Object, bound: _Bound, *, certain: bool) -> None:
        section = each.section
        for option in (
            "external_signaling_address",
            "external_signaling_hostname",
            "external_media_address",
        ):
            value = section.last(option)
            if not value:
                continue
            if has_placeholder(value):
                self._placeholder(each, option, value)
                continue
            self._findings.own.add(value.lower())
            if certain:
                self._seen_as(value)
        port = section.last("external_signaling_port")
        outside = section.last("external_signaling_address")
        if certain and port and port.isascii() and port.isdigit() and bound.port != int(port) != 0:
            self._findings.warn(
                WarningKind.FORWARDED_PORT, each.where, port=int(port), listens=bound.port
            )
            if outside and not has_placeholder(outside):
                self._seen_as(f"[{outside}]:{port}" if ":" in outside else f"{outside}:{port}")

    def _seen_as(self, text: str) -> None:
        if text not in self._findings.external:
            self._findings.external.append(printable(text))

    def _placeholder(self, each: Object, option: str, value: str) -> None:
        self._findings.unsee(
            WarningKind.PLACEHOLDER, each.where, option=option, value=printable(value)
        )

    def _invalid(self, each: Object, option: str, value: str) -> None:
        self._findings.warn(
            WarningKind.VALUE_INVALID, each.where, option=option, value=printable(value)
        )


def _entry(text: str) -> Network | None:
    """Return one element of ``local_net``, with or without the mark of an exclusion."""
    host, slash, mask = text.removeprefix("!").partition("/")
    if host != host.strip():
        return None
    parsed = split_port(host)
    address = None if parsed is None else literal(parsed.host) or old_form(parsed.host)
    return None if address is None else network(address, mask if slash else None)


def unknown_options(each: Object, kind: str) -> list[str]:
    """Return the options that no known version of Asterisk has for a type."""
    known = KNOWN[kind]
    names = [key.name for key in each.section.keys]
    return [
        printable(name) for name in names if name.lower() not in known and not name.startswith("@")
    ]
