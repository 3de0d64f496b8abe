"""A host that only bridges: it has no address, and br_netfilter shows it the packets of others."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from geofence.apply import apply_ruleset
from geofence.backends import registry
from geofence.lab.host import Host
from geofence.lab.wiring import connect, plug
from geofence.model.prefixes import Family
from tests.behaviour.scene import RULESET

STRANGER = {Family.IPV4: "45.9.1.1", Family.IPV6: "2a00:1450::7"}
GUEST = {Family.IPV4: "45.9.1.2", Family.IPV6: "2a00:1450::8"}
LENGTHS = {Family.IPV4: 24, Family.IPV6: 64}


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host, Host]]:
    """The bridging host, a stranger and a guest, each at one of its ports."""
    with ExitStack() as stack:
        bridge, *ends = (stack.enter_context(Host(name)) for name in ("bridge", "far", "guest"))
        bridge.run("ip", "link", "add", "br0", "type", "bridge")
        for number, (end, addresses) in enumerate(zip(ends, (STRANGER, GUEST), strict=True)):
            port = f"port{number}"
            connect(
                plug(bridge, port, f"02:00:00:00:01:0{number}"),
                plug(
                    end,
                    "eth0",
                    f"02:00:00:00:02:0{number}",
                    *(f"{addresses[family]}/{LENGTHS[family]}" for family in Family),
                ),
            )
            bridge.run("ip", "link", "set", port, "master", "br0")
        bridge.run("ip", "link", "set", "br0", "up")
        for name in ("iptables", "ip6tables"):
            bridge.sysctl(f"net/bridge/bridge-nf-call-{name}", 1)
        stranger, guest = ends
        yield bridge, stranger, guest


def arrives(stranger: Host, guest: Host, family: Family, port: int) -> bool:
    """Whether a packet of the stranger reaches the guest; it is sent a few times."""
    kind = (family.socket_family, socket.SOCK_DGRAM)
    with closing(guest.socket(*kind)) as ear, closing(stranger.socket(*kind)) as mouth:
        ear.bind((GUEST[family], port))
        ear.settimeout(1)
        for _ in range(5):
            mouth.sendto(b"OPTIONS sip:guest", (GUEST[family], port))
            try:
                return bool(ear.recv(100))
            except TimeoutError:
                continue
    return False


@pytest.mark.parametrize("name", registry.MODULES)
@pytest.mark.parametrize("family", Family)
def test_bridged_packets_are_left_alone(
    hosts: tuple[Host, Host, Host], name: str, family: Family
) -> None:
    bridge, stranger, guest = hosts
    assert arrives(stranger, guest, family, 5060)
    with bridge.entered():
        apply_ruleset(registry.load(name), RULESET)
    assert [arrives(stranger, guest, family, port) for port in (5060, 5062)] == [True, True]
