"""Hosts that pjsip.conf names as peers: identify, registration, contact, outbound proxy."""

from __future__ import annotations

from typing import NamedTuple

from geofence.asterisk.addresses import (
    Address,
    HostPort,
    Network,
    contains,
    has_placeholder,
    is_name,
    literal,
    network,
    old_form,
    split_port,
)
from geofence.asterisk.configuration import Object, is_true
from geofence.asterisk.findings import Findings, Peer
from geofence.asterisk.lines import BLANKS
from geofence.asterisk.reading import HostKind, Use, WarningKind
from geofence.asterisk.sections import printable
from geofence.asterisk.transports import unknown_options

_MANY = 3
"""Prefixes of a carrier whose media has an own network, as a rule."""


class _Match(NamedTuple):
    """One element of ``match``."""

    network: Network | None
    host: str
    port: int
    hole: bool = False


def add_uri(found: Findings, each: Object, option: str, uri: str, *, use: Use = Use.SIP) -> None:
    """Add the host of a SIP URI."""
    if not uri:
        return
    if has_placeholder(uri):
        found.unsee(WarningKind.PLACEHOLDER, each.where, option=option, value=printable(uri))
        return
    parsed = uri_host(uri)
    if parsed is None:
        found.warn(WarningKind.VALUE_INVALID, each.where, option=option, value=printable(uri))
        return
    add_host(found, each, option, parsed, use=use)


def add_host(  # noqa: PLR0913 - what a peer has
    found: Findings,
    each: Object,
    option: str,
    parsed: HostPort,
    *,
    use: Use = Use.SIP,
    srv: bool = True,
) -> None:
    """Add a host with its port."""
    address = literal(parsed.host)
    peer = Peer(
        parsed.host if address is None else str(address),
        HostKind.NAME if address is None else HostKind.ADDRESS,
        parsed.port or None,
        srv and address is None and not parsed.port,
        use,
        None if address is None else network(address, None),
        each.where,
    )
    found.peers.append((peer, f"{each.label} {option}"))


def uri_host(uri: str) -> HostPort | None:
    """Return host and port of ``sip:user@host:port;parameters``; None if it is no such URI."""
    if "<" in uri and uri.endswith(">"):
        uri = uri[uri.index("<") + 1 : -1]
    scheme, colon, rest = uri.partition(":")
    if not colon or scheme.lower() not in ("sip", "sips"):
        return None
    rest = rest.split("?", 1)[0]
    host = (rest.partition("@")[2] if "@" in rest else rest).split(";", 1)[0].strip(BLANKS)
    parsed = split_port(host)
    if parsed is None or (literal(parsed.host) is None and not is_name(parsed.host)):
        return None
    return parsed


def read_contacts(found: Findings, each: Object) -> None:
    """Read an aor: its static contacts and its proxy."""
    if not each.section.mentions(("contact", "outbound_proxy")):
        return
    options = each.section.named("contact")
    proxy = each.section.last("outbound_proxy")
    if not options and not proxy:
        return
    report_unknown(found, each, "aor")
    for key in options:
        for uri in key.value.split(","):
            add_uri(found, each, "contact", uri.strip(BLANKS))
    add_uri(found, each, "outbound_proxy", proxy or "")


def read_registration(found: Findings, each: Object) -> None:
    """Read a registration: its server and its proxy."""
    report_unknown(found, each, "registration")
    for option in ("server_uri", "client_uri"):
        if not each.section.last(option):
            found.warn(WarningKind.OPTION_MISSING, each.where, option=option)
            return
    add_uri(found, each, "server_uri", each.section.last("server_uri") or "")
    add_uri(found, each, "outbound_proxy", each.section.last("outbound_proxy") or "")


def report_unknown(found: Findings, each: Object, kind: str) -> None:
    """Report options that no known version of Asterisk has."""
    unknown = unknown_options(each, kind)
    if unknown:
        found.warn(WarningKind.OPTION_UNKNOWN, each.where, options=unknown)


def read_identify(found: Findings, each: Object) -> None:
    """Read an identify: from which addresses an endpoint calls."""
    report_unknown(found, each, "identify")
    section = each.section
    if not section.last("endpoint"):
        found.warn(WarningKind.OPTION_MISSING, each.where, option="endpoint")
        return
    texts = [part.strip(BLANKS) for key in section.named("match") for part in key.value.split(",")]
    known = []
    for text in filter(None, texts):
        if has_placeholder(text):
            found.unsee(WarningKind.PLACEHOLDER, each.where, option="match", value=printable(text))
            continue
        parsed = _match(text)
        if parsed is None:
            found.warn(WarningKind.VALUE_INVALID, each.where, option="match", value=printable(text))
            return
        known.append(parsed)
    if (
        not any(texts)
        and not section.last("match_header")
        and not section.last("match_request_uri")
    ):
        found.warn(WarningKind.OPTION_MISSING, each.where, option="match")
        return
    lookups = section.last("srv_lookups")
    _add_matches(found, each, known, srv=lookups is None or is_true(lookups))


def _match(text: str) -> _Match | None:
    """Parse one element of ``match``; None where Asterisk drops the object for it."""
    hole = text.startswith("!")
    host, slash, mask = text.removeprefix("!").rpartition("/")
    if slash:
        parsed = split_port(host)
        address = None if parsed is None else _numeric(parsed.host)
        if parsed is None or address is None:
            return None
        net = network(address, mask)
        return None if net is None else _Match(net, str(net), parsed.port, hole)
    if hole:
        return None  # Asterisk takes it for a host name
    parsed = split_port(text)
    if parsed is None:
        return None
    address = _numeric(parsed.host)
    if address is not None:
        return _Match(network(address, None), str(address), parsed.port)
    return _Match(None, parsed.host, parsed.port) if is_name(parsed.host) else None


def _numeric(host: str) -> Address | None:
    return literal(host) or old_form(host)


def _add_matches(found: Findings, each: Object, matches: list[_Match], *, srv: bool) -> None:
    prefixes = 0
    for at, match in enumerate(matches):
        if match.hole:
            continue
        if match.network is None:
            add_host(found, each, "match", HostPort(match.host, match.port), srv=srv)
            continue
        holes = [later.network for later in matches[at:] if later.hole and later.network]
        if any(contains(hole, match.network) for hole in holes):
            continue
        single = match.network.prefixlen == match.network.max_prefixlen
        prefixes += not single
        left_out = tuple(str(hole) for hole in holes if contains(match.network, hole))
        kind = HostKind.ADDRESS if single else HostKind.PREFIX
        host = str(match.network.network_address) if single else str(match.network)
        peer = Peer(
            host, kind, match.port or None, False, Use.SIP, match.network, each.where, left_out
        )
        found.peers.append((peer, f"{each.label} match"))
    if prefixes >= _MANY:
        found.warn(WarningKind.MEDIA_ELSEWHERE, each.where, number=prefixes)
