"""From an office's Asterisk to its fence by one 'geofence setup --yes', with real packets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.asterisk.real.asterisk import missing
from tests.asterisk.real.scene import (
    NORTH,
    OTHER_PHONE,
    PHONE,
    PUSH,
    SOUTH,
    STRANGER,
    Scene,
    call,
    is_registered,
    is_talking,
    scene,
)
from tests.cli.machine import BACKENDS
from tests.sipstack.addresses import Endpoint
from tests.sipstack.messages import request
from tests.sipstack.peers import until

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

TLS, WSS = 5061, 8089
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
SET_UP = ("setup", "--yes", "--country", "JP", "--no-units", "--no-fail2ban", "--no-notify")


@pytest.fixture(scope="module", params=BACKENDS)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("office"), request.param) as made:
        yield made


@pytest.fixture
def office(built: Scene) -> Iterator[Scene]:
    """The office, for one test."""
    with ExitStack() as closing:
        yield replace(built, closing=closing)


def reached(office: Scene, address: str) -> dict[str, bool]:
    """Return what of the office answers an address."""
    options = request("OPTIONS", Endpoint(address), by="TLS")
    return {
        "sip": office.answers(address),
        "register": office.answers(address, "REGISTER"),
        "tls": b"SIP/2.0" in office.answers_tls(address, TLS, options),
        "websocket": b" 101 " in office.answers_tls(address, WSS, UPGRADE),
    }


ALL = dict.fromkeys(("sip", "register", "tls", "websocket"), True)
NOTHING = dict.fromkeys(ALL, False)


def test_phones_talk_with_each_other(office: Scene) -> None:
    caller, callee = office.phone(PHONE, "2001"), office.phone(OTHER_PHONE, "2002")
    until(lambda: is_registered(caller) and is_registered(callee))

    call(caller, callee, "2002", registered=True)

    assert is_talking(caller, callee)
