"""Sockets that wait for packets, read from the kernel in a network namespace."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from geofence.host import sockets
from geofence.host.sockets import ListeningSocket, parse_table, read_sockets
from geofence.lab.host import Host
from geofence.model.policy import Protocol

ANY = "0.0.0.0"  # noqa: S104 - what others bind to
_KINDS = {Protocol.UDP: socket.SOCK_DGRAM, Protocol.TCP: socket.SOCK_STREAM}
_BOTH = frozenset({4, 6})


@pytest.fixture
def host() -> Iterator[Host]:
    with Host("sockets") as made:
        made.run("ip", "link", "set", "lo", "up")
        yield made


@contextmanager
def bound(
    protocol: Protocol, address: str, port: int, *, v6only: bool = False
) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, _KINDS[protocol]) as made:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
        made.bind((address, port))
        if protocol is Protocol.TCP:
            made.listen()
        yield made


def only(found: tuple[ListeningSocket, ...]) -> ListeningSocket:
    assert len(found) == 1, found
    return found[0]


@pytest.fixture(params=["kernel", "proc"])
def _source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both places that tell: one of a kernel without socket diagnosis, too."""
    if request.param == "proc":

        class Refusing:
            def __init__(self, *_: object) -> None:
                raise OSError

        monkeypatch.setattr(sockets, "NetlinkSocket", Refusing)


@pytest.mark.usefixtures("_source")
@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize(
    ("address", "families", "exposed"),
    [
        (ANY, {4}, True),
        ("127.0.0.1", {4}, False),
        ("::", {4, 6}, True),
        ("::1", {6}, False),
        ("::ffff:127.0.0.1", {4}, False),
    ],
)
def test_address_families_and_holder(
    host: Host, protocol: Protocol, address: str, families: set[int], exposed: bool
) -> None:
    with host.entered(), bound(protocol, address, 5060):
        found = only(read_sockets())
    assert (found.protocol, str(found.address), found.port) == (
        protocol,
        "::ffff:7f00:1" if "ffff" in address else address,
        5060,
    )
    assert found.families == families
    assert found.exposed is exposed
    assert os.getpid() in [holder.pid for holder in found.holders]


def test_the_kernel_tells_a_socket_of_ipv6_alone(host: Host) -> None:
    with host.entered(), bound(Protocol.UDP, "::", 5060, v6only=True):
        assert only(read_sockets()).families == {6}


@pytest.mark.usefixtures("_source")
def test_two_sockets_of_a_family_each(host: Host) -> None:
    with (
        host.entered(),
        bound(Protocol.UDP, ANY, 5060),
        bound(Protocol.UDP, "::", 5060, v6only=True),
    ):
        assert [each.families for each in read_sockets()] == [{4}, {6}]


@pytest.mark.usefixtures("_source")
def test_connected_sockets_do_not_wait(host: Host) -> None:
    with host.entered(), bound(Protocol.UDP, "127.0.0.1", 5060) as made:
        made.connect(("127.0.0.1", 9))
        assert read_sockets() == ()


def test_a_program_of_an_odd_name_cannot_write_to_the_terminal(host: Host) -> None:
    own = Path("/proc/self/comm")
    before = own.read_text("utf-8")
    own.write_text("a\x1b[31m\tb", "utf-8")
    try:
        with host.entered(), bound(Protocol.UDP, ANY, 5060):
            found = only(read_sockets())
    finally:
        own.write_text(before, "utf-8")
    assert "a?[31m?b" in [holder.program for holder in found.holders]


def test_lines_that_are_cut_short_are_passed_over() -> None:
    assert parse_table(Protocol.UDP, "  sl\n 1: 00000000:13C4\n") == ()
