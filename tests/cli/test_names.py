"""Exceptions by host names, and what a name server may do with them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geofence.active_exceptions import Obstacle
from geofence.model.notes import NoteKind
from tests.cli.facts import fact, kinds
from tests.cli.machine import Machine
from tests.support.name_server import NameServer

NAME = "sip.provider.net"
FIRST, SECOND, ELSEWHERE = "45.90.0.1", "45.90.0.2", "94.1.2.3"
BIND = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'


@pytest.fixture
def names(one: Machine) -> Iterator[NameServer]:
    """The name server that the machine asks."""
    resolver = one.directory / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:2 attempts:1\n")
    one.wrapper = ("unshare", "--mount", "sh", "-c", BIND, "sh", str(resolver))
    with NameServer(one.host) as server:
        yield server


def trunk(machine: Machine, more: str = "") -> None:
    machine.rule("60-trunk.toml", f'[exception.trunk]\nhosts = ["{NAME}"]\n{more}\n')


def test_a_change_of_addresses_of_a_name_is_reported(one: Machine, names: NameServer) -> None:
    trunk(one)
    names.addresses[NAME] = [FIRST, "2a02:90::1"]
    one.ok("refresh")
    assert one.gets_in(FIRST, "2a02:90::1") == [True, True]
    names.addresses[NAME] = [SECOND, "2a02:90::1"]
    changed = (NAME, {"added": [SECOND], "removed": [FIRST]})

    assert fact(one.ok("plan", "--json"), NoteKind.HOST_CHANGED) == changed
    assert fact(one.ok("refresh", "--json"), NoteKind.HOST_CHANGED) == changed
    assert one.gets_in(FIRST, SECOND) == [False, True]
    assert NoteKind.HOST_CHANGED not in kinds(one.ok("refresh", "--json"))


def test_a_name_that_becomes_thousands_of_addresses_keeps_its_last(
    one: Machine, names: NameServer
) -> None:
    trunk(one)
    names.addresses[NAME] = [FIRST]
    one.ok("refresh")
    names.addresses[NAME] = [f"94.{n // 256}.{n % 256}.1" for n in range(3_000)]

    done = one.run("refresh")

    assert done.code == 5
    assert f"DNS gives 3,000 addresses for {NAME}, but one name may add at most 64" in done.err
    assert one.gets_in(FIRST, "94.0.7.1") == [True, False]


def test_a_public_name_that_becomes_private_keeps_its_last(one: Machine, names: NameServer) -> None:
    trunk(one)
    names.addresses[NAME] = [FIRST]
    one.ok("refresh")
    names.addresses[NAME] = [FIRST, "100.64.3.4"]

    done = one.run("refresh")

    assert done.code == 5
    assert f"gives 100.64.3.4 for {NAME}, which is a private address" in done.err
    assert one.gets_in(FIRST, "100.64.3.4") == [True, False]

    trunk(one, f'within = ["{FIRST}", "100.64.3.4"]')
    one.ok("refresh")
    assert one.gets_in(FIRST, "100.64.3.4") == [True, True]


def test_answers_are_pinned_by_within(one: Machine, names: NameServer) -> None:
    trunk(one, 'within = ["45.90.0.0/24"]')
    names.addresses[NAME] = [FIRST, SECOND]
    one.ok("refresh")
    names.addresses[NAME] = [SECOND, ELSEWHERE]

    done = one.run("refresh")

    assert done.code == 5
    assert f'gives {ELSEWHERE} for {NAME}, which is outside "within" of its exception' in done.err
    assert one.gets_in(FIRST, SECOND, ELSEWHERE) == [True, True, False]


def test_addresses_resolved_before_the_pin_are_blocked_by_it(
    one: Machine, names: NameServer
) -> None:
    trunk(one)
    names.addresses[NAME] = [FIRST, ELSEWHERE]
    one.ok("refresh")
    assert one.gets_in(FIRST, ELSEWHERE) == [True, True]
    trunk(one, 'within = ["45.90.0.0/24"]')
    outside = ("trunk", {"addresses": [ELSEWHERE]})
    assert fact(one.ok("apply", "--json"), NoteKind.OUTSIDE_PIN) == outside
    assert fact(one.ok("status", "--json"), NoteKind.OUTSIDE_PIN) == outside
    assert one.gets_in(FIRST, ELSEWHERE) == [True, False]

    trunk(one, 'within = ["45.91.0.0/24"]')
    one.ok("apply")
    [waiting] = one.ok("status", "--json").json["exceptions_waiting"]
    assert (waiting["exception"], waiting["kind"]) == ("trunk", Obstacle.OUTSIDE_PIN)
    assert one.gets_in(FIRST, ELSEWHERE) == [False, False]


def test_an_exception_pins_a_name_that_another_allows(one: Machine, names: NameServer) -> None:
    one.rule("61-other.toml", f'[exception.other]\nservices = ["rtp"]\nhosts = ["{NAME}"]\n')
    trunk(one, 'within = ["45.90.0.0/24"]\nservices = ["sip"]')
    names.addresses[NAME] = [FIRST, ELSEWHERE]
    outside = ("trunk", {"addresses": [ELSEWHERE]})
    assert fact(one.ok("refresh", "--json"), NoteKind.OUTSIDE_PIN) == outside
    assert one.gets_in(FIRST, ELSEWHERE) == [True, False]
    assert one.gets_in(FIRST, ELSEWHERE, service="rtp") == [True, True]
