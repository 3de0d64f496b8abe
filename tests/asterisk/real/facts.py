"""What a configuration opens and names: as a running Asterisk tells it, and as the reader does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from geofence.asterisk.reading import Listener, Reading
from tests.asterisk.real.transcript import SOCKETS, Transcript

ANY = "any"


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket that listens, in one address family."""

    protocol: str
    port: int
    version: int
    address: str
    """``any``, or one."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What both can tell."""

    sockets: frozenset[Socket]
    rtp: tuple[int, int] | None
    """Ports that may be used, RTCP's among them."""
    rtp_more: frozenset[tuple[int, int]]
    udptl: tuple[int, int]
    udptl_needed: bool
    hosts: frozenset[tuple[str, int | None]]
    """Of trunks, with their ports."""
    left_out: frozenset[str]
    local_nets: frozenset[str]
    external: frozenset[str]
    stun: frozenset[tuple[str, int]]
    uncertain: frozenset[Socket] = frozenset()
    """Sockets that another version of Asterisk may have."""


_UDPTL_DEFAULT = (4000, 4999)
_URI = re.compile(r"<?sips?:(?:[^@]*@)?(\[[^]]+\]|[^:;>?]+)(?::(\d+))?", re.IGNORECASE)
_RTP = r"Port start: +(\d+)\s+Port end: +(\d+)"
_UDPTL = r"udptlstart: +(\d+)\s+udptlend: +(\d+)"


def told(transcript: Transcript, names: Mapping[str, str], own: frozenset[str]) -> Facts:
    """Return what an Asterisk told.

    Args:
        transcript: its answers.
        names: the host names by their addresses, which ``identify`` shows instead.
        own: the host's own addresses, which are no trunks.
    """
    parameters = list(_parameters(transcript))
    values = _values(parameters)
    matches = re.findall(r"^ +Match: (\S+)$", transcript["pjsip show identifies"], re.MULTILINE)
    external = frozenset(values["external_signaling_address"] + values["external_media_address"])
    hosts = {*map(_match, (m for m in matches if not m.startswith("!"))), *_iax_peers(transcript)}
    hosts = {(names.get(host, host), port) for host, port in hosts}
    uris = values["contact"] + values["server_uri"] + values["outbound_proxy"]
    hosts |= {host for value in uris for host in _uri_hosts(value)}
    return Facts(
        sockets=frozenset(_sockets(transcript[SOCKETS])),
        rtp=_used(_pair(transcript["rtp show settings"], _RTP)),
        rtp_more=frozenset(map(_used, _own_ranges(parameters))),
        udptl=_pair(transcript["udptl show config"], _UDPTL),
        udptl_needed="true" in values["t38_udptl"],
        hosts=frozenset((h, p) for h, p in hosts if not _never(h, own | external)),
        left_out=frozenset(_match(m[1:])[0] for m in matches if m.startswith("!")),
        local_nets=frozenset(map(_masked, values["local_net"])),
        external=external,
        stun=frozenset(_stun(transcript["rtp show settings"])),
    )


def read(reading: Reading) -> Facts:
    """Return what the reader read, of all that Asterisk can tell."""
    rtp, udptl = reading.rtp, reading.udptl
    heard = {certain: set[Socket]() for certain in (True, False)}
    for listener in reading.listeners:
        heard[listener.certain].update(_heard_by(listener))
    return Facts(
        sockets=frozenset(heard[True]),
        uncertain=frozenset(heard[False]),
        rtp=None if rtp is None else (rtp.first, rtp.last),
        rtp_more=frozenset((more.first, more.last) for more in reading.rtp_more),
        udptl=_UDPTL_DEFAULT if udptl is None else (udptl.first, udptl.last),
        udptl_needed=udptl is not None and udptl.needed,
        hosts=frozenset((trunk.host, trunk.port) for trunk in reading.trunks),
        left_out=frozenset(_plain(out) for trunk in reading.trunks for out in trunk.left_out),
        local_nets=frozenset(reading.local_nets),
        external=frozenset(re.sub(r":\d+$", "", address) for address in reading.external),
        stun=frozenset((server.host, server.port) for server in reading.stun),
    )


def _parameters(transcript: Transcript) -> Iterator[dict[str, list[str]]]:
    """Yield the parameters of each object, by name."""
    for command, answer in transcript.items():
        if re.match(r"pjsip show (transport|endpoint|aor|registration) ", command):
            found: dict[str, list[str]] = {}
            for line in answer.splitlines():
                name, _, value = line.partition(":")
                if value.strip():
                    found.setdefault(name.strip(), []).append(value.strip())
            yield found


def _values(parameters: list[dict[str, list[str]]]) -> dict[str, list[str]]:
    names = (
        *("external_signaling_address", "external_media_address", "local_net", "contact"),
        *("server_uri", "outbound_proxy", "t38_udptl"),
    )
    return {name: [v for each in parameters for v in each.get(name, ())] for name in names}


def _own_ranges(parameters: list[dict[str, list[str]]]) -> Iterator[tuple[int, int]]:
    for each in parameters:
        first, last = (int(each.get(f"rtp_port_{end}", ["0"])[0]) for end in ("start", "end"))
        if first:
            yield first, last


def _sockets(listed: str) -> Iterator[Socket]:
    for line in listed.splitlines():
        protocol, _, where = line.split()
        address, _, port = where.rpartition(":")
        address = address.strip("[]")
        if address == "*":
            yield from (Socket(protocol, int(port), version, ANY) for version in (4, 6))
        else:
            is_any = ip_address(address).is_unspecified
            version = ip_address(address).version
            yield Socket(protocol, int(port), version, ANY if is_any else address)


def _heard_by(listener: Listener) -> Iterator[Socket]:
    try:
        address = ANY if ip_address(listener.bind).is_unspecified else listener.bind
    except ValueError:
        address = listener.bind
    for version in listener.families:
        yield Socket(listener.protocol.value, listener.port, version, address)


def _pair(text: str, pattern: str) -> tuple[int, int]:
    found = re.search(pattern, text)
    assert found, text
    return int(found[1]), int(found[2])


def _used(declared: tuple[int, int]) -> tuple[int, int]:
    """Return the ports of a range of RTP: RTP has the even ones, RTCP the odd one above each."""
    first, last = declared
    return first - first % 2, min(last + (last % 2 == 0), 65_535)


def _match(shown: str) -> tuple[str, int | None]:
    """Return prefix and port of a match: ``198.51.100.200:5060/32``, ``[2001:db8::9]:5060/128``."""
    found = re.fullmatch(r"(?:\[([^]]+)\]|([\d.]+)):(\d+)(/\d+)", shown)
    if found:
        return _plain((found[1] or found[2]) + found[4]), int(found[3])
    return _plain(shown), None


def _masked(shown: str) -> str:
    """Return a prefix of what has a mask, also in IPv6: ``fd00::/ff00::``."""
    address, _, mask = shown.partition("/")
    length = int(ip_address(mask)).bit_count()
    return str(ip_network(f"{address}/{length}"))


def _plain(prefix: str) -> str:
    """Return a prefix, without its length if it is one address."""
    network = ip_network(prefix)
    one = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if one else str(network)


def _uri_hosts(value: str) -> Iterator[tuple[str, int | None]]:
    """Yield hosts and ports of URIs; an endpoint's ``outbound_proxy`` need not be one."""
    for uri in re.split(r",(?=<?sips?:)", value, flags=re.IGNORECASE):
        found = _URI.match(uri.strip())
        if found:
            yield found[1].strip("[]"), int(found[2]) if found[2] else None


def _iax_peers(transcript: Transcript) -> Iterator[tuple[str, int | None]]:
    for line in transcript["iax2 show peers"].splitlines():
        found = re.match(r"\S+ +(\S+) +(?:\([A-Z]\) +)*[\d.]+ +(\d+) ", line)
        if found:
            yield found[1], int(found[2])


def _never(host: str, own: frozenset[str]) -> bool:
    """Whether a host is the world, this one, or loopback."""
    try:
        network = ip_network(host)
    except ValueError:
        return False
    return not network.prefixlen or network.is_loopback or _plain(host) in own


def _stun(shown: str) -> Iterator[tuple[str, int]]:
    found = re.search(r"Hostname: +(\S+):(\d+)", shown)
    if found:
        yield found[1], int(found[2])
