"""What this host reaches, read from a real kernel in a namespace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import LabError
from geofence.lab.host import Host
from geofence.model.prefixes import Family
from geofence.netlink.attributes import MalformedError
from geofence.routing.changes import route_changes
from geofence.routing.local_networks import Place, Reached
from geofence.routing.route_messages import Route, parse_link, parse_local, parse_route
from geofence.routing.routes import read_places
from tests.support.values import prefix

CONNECTED, ROUTED = Reached.CONNECTED, Reached.ROUTED


@pytest.fixture
def host() -> Iterator[Host]:
    """A host with two interfaces, one of them in a private network."""
    with Host("router") as made:
        for name in ("lan", "wan"):
            made.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}-far")
            made.run("ip", "link", "set", name, "up")
            made.run("ip", "link", "set", f"{name}-far", "up")
        made.run("ip", "link", "set", "lo", "up")
        made.run("ip", "address", "add", "192.168.5.2/24", "dev", "lan")
        yield made


def ip(host: Host, command: str) -> None:
    host.run("ip", *command.split())


def places(host: Host) -> set[tuple[str, str, Reached]]:
    """What is reached, but for link-local networks."""
    with host.entered():
        found = read_places()
    assert list(found) == sorted(set(found))
    some = [place for place in found if not str(place.prefix).startswith("fe80:")]
    return {(place.interface, str(place.prefix), place.how) for place in some}


LAN = ("lan", "192.168.5.0/24", CONNECTED)


def test_addresses_are_places_while_they_are_there(host: Host) -> None:
    assert places(host) == {LAN}
    ip(host, "address add fd00:5::2/64 dev lan nodad")
    ip(host, "address add 10.1.2.3/20 dev wan")
    assert places(host) == {
        LAN,
        ("lan", "fd00:5::/64", CONNECTED),
        ("wan", "10.1.0.0/20", CONNECTED),
    }
    ip(host, "address delete 10.1.2.3/20 dev wan")
    ip(host, "link set lan down")
    assert places(host) == set()


def test_explicit_routes_are_places_and_default_routes_are_not(host: Host) -> None:
    ip(host, "address add 203.0.113.2/24 dev wan")
    ip(host, "route add default via 203.0.113.1")
    ip(host, "route add 0.0.0.0/1 via 203.0.113.1")
    ip(host, "route add 10.0.0.0/8 via 192.168.5.1")
    ip(host, "-6 route add default dev wan")
    ip(host, "-6 route add fd00:7::/48 dev lan")
    assert places(host) == {
        LAN,
        ("wan", "203.0.113.0/24", CONNECTED),
        ("lan", "10.0.0.0/8", ROUTED),
        ("lan", "fd00:7::/48", CONNECTED),
    }


def test_unreachable_and_local_routes_are_ignored(host: Host) -> None:
    for kind in ("unreachable", "blackhole", "prohibit"):
        ip(host, f"route add {kind} 10.{len(kind)}.0.0/16")
        ip(host, f"-6 route add {kind} fd00:{len(kind)}::/48")
    ip(host, "route add local 10.99.0.0/16 dev lo")
    assert places(host) == {LAN}


def test_each_way_of_a_route_with_several_counts(host: Host) -> None:
    ip(host, "address add 192.168.6.2/24 dev wan")
    ip(host, "route add 10.0.0.0/16 nexthop via 192.168.5.1 nexthop via 192.168.6.1")
    ip(host, "address add fd00:5::2/64 dev lan nodad")
    ip(host, "address add fd00:6::2/64 dev wan nodad")
    ip(host, "-6 route add fd00:8::/48 nexthop via fd00:5::1 nexthop via fd00:6::1")
    by_gateway = {(name, text) for name, text, how in places(host) if how is ROUTED}
    assert by_gateway == {
        ("lan", "10.0.0.0/16"),
        ("wan", "10.0.0.0/16"),
        ("lan", "fd00:8::/48"),
        ("wan", "fd00:8::/48"),
    }


@pytest.mark.parametrize("compatible", ["1", "0"])
def test_nexthop_objects_are_followed_to_their_interfaces(host: Host, compatible: str) -> None:
    ip(host, "address add 192.168.6.2/24 dev wan")
    host.run("sysctl", "-qw", f"net.ipv4.nexthop_compat_mode={compatible}")
    ip(host, "nexthop add id 7 via 192.168.5.1 dev lan")
    ip(host, "nexthop add id 8 via 192.168.6.1 dev wan")
    ip(host, "nexthop add id 9 group 7/8")
    ip(host, "route add 10.7.0.0/16 nhid 7")
    ip(host, "route add 10.9.0.0/16 nhid 9")
    found = {(name, text) for name, text, _ in places(host) if text.startswith("10.")}
    assert found == {("lan", "10.7.0.0/16"), ("lan", "10.9.0.0/16"), ("wan", "10.9.0.0/16")}


def test_routes_of_other_tables_count_on_their_interface(host: Host) -> None:
    ip(host, "route add 10.3.0.0/16 via 192.168.5.1 table 100")
    assert places(host) == {LAN, ("lan", "10.3.0.0/16", ROUTED)}


def test_routes_of_a_vrf_count_on_their_interface(host: Host) -> None:
    try:
        ip(host, "link add vrf-blue type vrf table 200")
    except LabError as error:
        pytest.skip(f"this kernel has no VRF: {error}")
    ip(host, "link set vrf-blue up")
    ip(host, "link set wan master vrf-blue")
    ip(host, "address add 172.20.0.2/24 dev wan")
    network = ("172.20.0.0/24", CONNECTED)
    assert places(host) == {LAN, ("wan", *network), ("vrf-blue", *network)}


def test_a_host_without_addresses_has_no_places() -> None:
    with Host("bare") as bare:
        assert places(bare) == set()


def test_changes_are_heard_and_nothing_else(host: Host) -> None:
    with host.entered(), route_changes() as changes:
        changes.pass_over()
        assert not changes.within(0.2)
        ip(host, "address add 10.4.0.1/24 dev wan")
        assert changes.within(10)
        changes.pass_over()
        assert not changes.within(0.2)
        ip(host, "route add 10.5.0.0/24 via 192.168.5.1")
        assert changes.within(10)
        changes.pass_over()
        ip(host, "address delete 10.4.0.1/24 dev wan")
        assert changes.within(10)


def test_more_changes_than_the_kernel_keeps_are_a_change(host: Host) -> None:
    with host.entered(), route_changes() as changes:
        routes = "".join(f"route add 10.{n >> 8}.{n & 255}.0/24 dev lan\n" for n in range(6_000))
        host.run("ip", "-batch", "-", stdin=routes)
        assert changes.within(10)
        changes.pass_over()
        assert not changes.within(0.2)


def test_many_routes_are_read_in_a_moment(host: Host) -> None:
    many = 50_000
    routes = "".join(
        f"route add {20 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.0/24 via 192.168.5.1\n"
        for n in range(many)
    )
    host.run("ip", "-batch", "-", stdin=routes)
    began = time.process_time()
    assert len(places(host)) == many + 1
    assert time.process_time() - began < 5


def test_a_message_cut_short_is_refused() -> None:
    head = bytes((Family.IPV4.socket_family, 24, 0, 0, 254, 2, 253, 1, 0, 0, 0, 0))
    whole = head + b"\x08\x00\x01\x00\x0a\x01\x02\x00" + b"\x08\x00\x04\x00\x02\x00\x00\x00"
    known = Route(prefix("10.1.2.0/24"), CONNECTED, frozenset({2}), 0, 0)
    assert parse_route(24, whole) == known
    hops = (
        head
        + b"\x08\x00\x01\x00\x0a\x01\x02\x00"
        + b"\x0c\x00\x09\x00\x40\x00\x00\x00\x02\x00\x00\x00"
    )
    for wrong in (whole[:-1], hops):
        with pytest.raises(MalformedError):
            parse_route(24, wrong)
    assert parse_route(24, head[:-1]) is None
    assert parse_route(25, whole) is None


def test_each_place_is_listed_once(host: Host) -> None:
    ip(host, "route add 10.6.0.0/16 via 192.168.5.1")
    ip(host, "route add 10.6.0.0/16 via 192.168.5.1 metric 50")
    with host.entered():
        found = [place for place in read_places() if place.prefix == prefix("10.6.0.0/16")]
    assert found == [Place("lan", prefix("10.6.0.0/16"), ROUTED)]


@given(st.integers(0, 40), st.binary(max_size=200))
def test_any_bytes_are_read_or_raise_the_documented_error(kind: int, body: bytes) -> None:
    for parse in (parse_link, parse_local, parse_route):
        with suppress(MalformedError):
            parse(kind, body)
