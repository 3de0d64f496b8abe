"""From an office's Asterisk to its fence by one 'geofence setup --yes', with real packets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from geofence.model.prefixes import Family
from tests.asterisk.real.asterisk import missing
from tests.asterisk.real.scene import (
    EAST,
    NORTH,
    OTHER_PHONE,
    PHONE,
    PUBLIC,
    PUSH,
    SOUTH,
    STRANGER,
    Scene,
    call,
    is_registered,
    is_talking,
    scene,
)
from tests.cli.machine import BACKENDS, Done
from tests.sipstack.addresses import Endpoint
from tests.sipstack.messages import request
from tests.sipstack.peers import PATIENCE, QUIET, udp_socket, until
from tests.sipstack.stacks import Agent, no_pjsip
from tests.sipstack.watch import Delivered, Ear

LACKING = missing() or no_pjsip()
pytestmark = pytest.mark.skipif(bool(LACKING), reason=LACKING)

TLS, WSS = 5061, 8089
RTP_PORT = 10_090
"""One that Asterisk does not use meanwhile; a packet there is delivered, or is not."""
UPGRADE = b"""\
GET /ws HTTP/1.1\r
Host: pbx.example.net\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
Sec-WebSocket-Protocol: sip\r
Sec-WebSocket-Version: 13\r
\r
"""
SET_UP = ("setup", "--yes", "--country", "JP")
ALL = dict.fromkeys(("sip", "register", "tls", "websocket"), True)
NOTHING = dict.fromkeys(ALL, False)

fenced = pytest.mark.usefixtures("set_up")
NEW_TRUNK = f"""\
[east]
type = aor
contact = sip:{EAST}

[east]
type = endpoint
context = from-trunk
disallow = all
allow = ulaw
aors = east

[east]
type = identify
endpoint = east
match = {EAST}
"""


@pytest.fixture(scope="module", params=BACKENDS)
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("office"), request.param) as made:
        yield made


@pytest.fixture
def office(built: Scene) -> Iterator[Scene]:
    """The office, for one test."""
    with ExitStack() as closing:
        yield replace(built, closing=closing)


@pytest.fixture(scope="module")
def set_up(built: Scene) -> Done:
    """Set up the fence, by one command, on a PBX that everybody reaches."""
    assert reached(built, STRANGER) == ALL
    return built.geofence.ok(*SET_UP, "--asterisk-dir", str(built.asterisk.configuration))


def reached(office: Scene, address: str, seconds: float = PATIENCE) -> dict[str, bool]:
    """Return what of the office answers an address."""
    options = request("OPTIONS", Endpoint(address), by="TLS")
    return {
        "sip": b"SIP/2.0" in office.answer(address, "OPTIONS", seconds),
        "register": b"SIP/2.0" in office.answer(address, "REGISTER", seconds),
        "tls": b"SIP/2.0" in office.answer_tls(address, TLS, options, seconds),
        "websocket": b" 101 " in office.answer_tls(address, WSS, UPGRADE, seconds),
    }


def first_sources(ear: Ear) -> set[str]:
    """Wait until media is delivered, and return from where."""
    heard: list[Delivered] = []

    def comes() -> bool:
        heard.extend(each for each in ear.heard() if each.port == RTP_PORT)
        return bool(heard)

    until(comes)
    return {each.source.address for each in heard}


def two_phones(office: Scene) -> tuple[Agent, Agent]:
    """Return two phones of the country that are registered."""
    phones = office.phone(PHONE, "2001"), office.phone(OTHER_PHONE, "2002")
    until(lambda: all(map(is_registered, phones)))
    return phones


def test_without_a_fence_phones_talk(office: Scene) -> None:
    caller, callee = two_phones(office)

    call(caller, callee, "2002", registered=True)

    assert is_talking(caller, callee)


@fenced
def test_the_country_reaches_the_pbx_and_nobody_else_hears_of_it(office: Scene) -> None:
    assert reached(office, PHONE) == ALL
    assert reached(office, STRANGER, QUIET) == NOTHING


@fenced
def test_no_packet_of_a_stranger_reaches_asterisk(office: Scene) -> None:
    before = office.asterisk.log.count(STRANGER)
    stranger = office.phone(STRANGER, "2001")
    stranger.do("call", f"sip:600@{PUBLIC}")

    assert reached(office, STRANGER, QUIET) == NOTHING
    assert not is_registered(stranger)
    assert "CONFIRMED" not in stranger.do("states")
    assert office.asterisk.log.count(STRANGER) == before


@fenced
def test_phones_of_the_country_register_and_talk(office: Scene) -> None:
    caller, callee = two_phones(office)

    call(caller, callee, "2002", registered=True)

    assert is_talking(caller, callee)


@fenced
def test_a_trunk_by_its_name_takes_the_registration_and_calls_in(office: Scene) -> None:
    assert office.is_registered_at_north()
    _, callee = two_phones(office)
    trunk = office.agent(NORTH, 5070)

    call(trunk, callee, "5550001")

    assert is_talking(trunk, callee)


@fenced
def test_a_trunk_by_its_addresses_calls_in(office: Scene) -> None:
    trunk = office.agent(SOUTH)

    call(trunk, None, "5550002")

    assert is_talking(trunk)


@fenced
def test_a_push_server_by_its_name_registers_and_calls_in(office: Scene) -> None:
    push = office.phone(PUSH, "2004")
    until(lambda: is_registered(push))
    _, callee = two_phones(office)

    call(push, callee, "2002", registered=True)

    assert callee.do("states") == ["CONFIRMED"]


@fenced
def test_media_of_a_trunk_gets_in_before_the_pbx_sends_any(office: Scene) -> None:
    packet = b"\x80\x00" + bytes(170)
    with (
        udp_socket(office.internet, STRANGER, 31_000) as strangers,
        udp_socket(office.internet, SOUTH, 31_000) as trunks,
        Ear(office.pbx, Family.IPV4) as ear,
    ):
        for sender in (strangers, trunks):
            sender.sendto(packet, (PUBLIC, RTP_PORT))
        assert first_sources(ear) == {SOUTH}


@fenced
def test_set_up_again_has_nothing_to_do(built: Scene) -> None:
    again = built.geofence.ok(*SET_UP, "--asterisk-dir", str(built.asterisk.configuration))

    assert "rules: " not in again.out
    assert reached(built, STRANGER, QUIET) == NOTHING


@fenced
def test_a_trunk_that_asterisk_gets_later_calls_in_after_the_next_refresh(office: Scene) -> None:
    (office.asterisk.configuration / "pjsip.d/40-east.conf").write_text(NEW_TRUNK)
    office.asterisk.rx("module reload res_pjsip.so")
    assert office.answer(EAST, "OPTIONS", QUIET) == b""

    office.geofence.ok("refresh")

    trunk = office.agent(EAST)
    call(trunk, None, "5550002")
    assert is_talking(trunk)
