"""Readings of Asterisk's configuration that tests make."""

from __future__ import annotations

from hypothesis import strategies as st

from geofence.asterisk.reading import HostKind, Listener, PortRange, Reading, Trunk, Use
from geofence.model.policy import Protocol
from geofence.model.prefixes import AddressSpace
from geofence.policy.addresses import prefix

UDP, TCP = Protocol.UDP, Protocol.TCP


def space(*prefixes: str) -> AddressSpace:
    return AddressSpace.of(map(prefix, prefixes))


def listener(port: int, protocol: Protocol = UDP, use: Use = Use.SIP, **facts: bool) -> Listener:
    return Listener(protocol, port, frozenset({4}), "any", use, f"{use}.conf [{port}]", **facts)


def media(first: int, last: int, source: str = "rtp.conf") -> PortRange:
    return PortRange(first, last, source)


def trunk(host: str, kind: HostKind = HostKind.PREFIX, **facts: object) -> Trunk:
    sources = facts.pop("sources", ("identify north match",))
    return Trunk(host, kind, sources, **facts)  # type: ignore[arg-type]


_ports = st.integers(1, 65535)
_listeners = st.builds(
    listener, _ports, st.sampled_from(Protocol), st.sampled_from(Use), exposed=st.booleans()
)
_ranges = st.tuples(_ports, _ports).map(lambda ends: media(min(ends), max(ends)))
_octets = st.tuples(*[st.integers(0, 255)] * 4).map(lambda octets: ".".join(map(str, octets)))
_hosts = st.one_of(
    st.builds(lambda address, length: f"{address}/{length}", _octets, st.integers(0, 32)),
    _octets,
    st.text(max_size=20),
    st.sampled_from(["0.0.0.0/0", "::/0", "127.0.0.1", "203.0.113.0/24", "a.example"]),
)
_objects = st.text(max_size=50)
_trunks = st.builds(
    lambda host, kind, name, use, srv: Trunk(
        host, kind, (f"identify {name} match",), use=use, srv=srv
    ),
    _hosts,
    st.sampled_from(HostKind),
    _objects,
    st.sampled_from([Use.SIP, Use.SIPS, Use.IAX]),
    st.booleans(),
)
readings = st.builds(
    Reading,
    listeners=st.lists(_listeners, max_size=6).map(tuple),
    rtp=st.none() | _ranges,
    rtp_more=st.lists(_ranges, max_size=2).map(tuple),
    udptl=st.none() | _ranges,
    trunks=st.lists(_trunks, max_size=8).map(tuple),
    local_nets=st.lists(_hosts, max_size=3).map(tuple),
    external=st.lists(_hosts, max_size=2).map(tuple),
)
