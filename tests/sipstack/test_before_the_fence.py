"""Strangers who talk with the PBX already when it is fenced for the first time."""

from __future__ import annotations

import pytest

from tests.sipstack.addresses import PHONE, STRANGER
from tests.sipstack.conftest import FULL_STACKS, IPV4_ONLY
from tests.sipstack.messages import new_call, request, sdp
from tests.sipstack.peers import Caller, Peer
from tests.sipstack.site import NOTHING, Got, Site

TRACKED = pytest.mark.parametrize("tracked", [False, True], ids=["untracked", "tracked"])
"""Whether conntrack has known their flows all along."""


def invite(stranger: Peer | Caller, user: str, call: str = "") -> None:
    here, by = stranger.endpoint, stranger.transport
    body = sdp(here.address, 20_000)
    stranger.send(request("INVITE", here, user=user, by=by, call=call, body=body))


def assert_kept_out(got: Got, *, tracked: bool) -> None:
    """A flow that conntrack knows is not cut: the PBX may end what began before, in vain."""
    assert got.delivered == 0
    assert got.answers == 0 or tracked


def test_without_a_fence_the_stranger_is_seen(attacked: Site) -> None:
    got = attacked.got(attacked.peer(STRANGER), least=3)

    assert got.delivered == 3
    assert got.answers >= 3


@TRACKED
def test_a_stranger_after_options_is_blocked(attacked: Site, tracked: bool) -> None:
    if tracked:
        attacked.track()
    stranger = attacked.peer(STRANGER)
    assert attacked.works_for(stranger)

    attacked.fence()

    assert attacked.got(stranger) == NOTHING


@FULL_STACKS
@pytest.mark.parametrize(
    ("status", "tracked"), [("403", False), ("403", True), ("408", False), ("487", True)]
)
def test_a_repeated_final_response_begins_no_connection(
    attacked: Site, status: str, tracked: bool
) -> None:
    if tracked:
        attacked.track()
    stranger = attacked.peer(STRANGER)
    invite(stranger, status)
    assert status in stranger.await_answer().decode()

    attacked.fence()
    stranger.answers(quiet=0.001)
    attacked.await_try(STRANGER)

    assert_kept_out(attacked.got(stranger), tracked=tracked)


@IPV4_ONLY
def test_a_cancelled_call_begins_no_connection(on_pjsip: Site) -> None:
    stranger, call = on_pjsip.peer(STRANGER), new_call()
    invite(stranger, "ring", call)
    stranger.await_answer()
    stranger.send(request("CANCEL", stranger.endpoint, user="ring", call=call))
    stranger.answers()

    on_pjsip.fence()
    stranger.answers(quiet=0.001)
    on_pjsip.await_try(STRANGER)

    assert on_pjsip.got(stranger) == NOTHING


@IPV4_ONLY
@TRACKED
def test_a_call_that_rang_is_not_answered(on_pjsip: Site, tracked: bool) -> None:
    if tracked:
        on_pjsip.track()
    stranger = on_pjsip.peer(STRANGER)
    invite(stranger, "ring")
    while b"180" not in stranger.await_answer():
        pass

    on_pjsip.fence()
    on_pjsip.await_try(STRANGER, lambda: on_pjsip.pbx.media.do("reply", 486))

    assert_kept_out(on_pjsip.got(stranger), tracked=tracked)


@TRACKED
def test_an_open_tcp_connection_is_dead_if_the_stranger_speaks(
    attacked: Site, tracked: bool
) -> None:
    if tracked:
        attacked.track()
    stranger = attacked.caller(STRANGER)
    assert attacked.works_for(stranger)

    attacked.fence()

    assert attacked.got(stranger) == NOTHING


@IPV4_ONLY
def test_an_open_tcp_connection_is_dead_if_the_pbx_speaks(on_pjsip: Site) -> None:
    stranger = on_pjsip.caller(STRANGER)
    invite(stranger, "ring")
    while b"180" not in stranger.await_answer():
        pass

    on_pjsip.fence()
    on_pjsip.await_try(STRANGER, lambda: on_pjsip.pbx.media.do("reply", 486))

    assert on_pjsip.got(stranger) == NOTHING


def test_an_open_tcp_connection_is_dead_if_its_keepalive_speaks(on_kamailio: Site) -> None:
    """kamailio has the kernel ask each second whether the far end is there."""
    stranger = on_kamailio.caller(STRANGER)
    assert on_kamailio.works_for(stranger)

    on_kamailio.fence()
    on_kamailio.await_try(STRANGER)

    assert on_kamailio.got(stranger) == NOTHING


def test_a_phone_of_the_allowed_country_continues(attacked: Site) -> None:
    """Over UDP and TCP, whoever speaks first."""
    phone, connected = attacked.peer(PHONE), attacked.caller(PHONE)
    assert attacked.works_for(phone)
    assert attacked.works_for(connected)

    attacked.fence()

    assert attacked.works_for(phone)
    assert attacked.works_for(connected)
    assert attacked.got(phone) != Got()
