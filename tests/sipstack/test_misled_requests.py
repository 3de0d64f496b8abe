"""One request in an allowed name whose ``Contact`` or session makes the PBX speak to a stranger.

What the PBX sends him then is a request of its own, or media, and no answer.
"""

from __future__ import annotations

from tests.sipstack.addresses import PHONE, STRANGER
from tests.sipstack.conftest import IPV4_ONLY
from tests.sipstack.messages import request, sdp
from tests.sipstack.peers import Peer
from tests.sipstack.site import Site
from tests.sipstack.stacks import RTP_PORTS

pytestmark = IPV4_ONLY

MEDIA_PORT = 20_000
"""Of the stranger."""

NO_REPLIES = """\
[service.sip]
replies_from = "exceptions"
[service.rtp]
replies_from = "exceptions"
"""
"""Connections that the PBX begins count for nothing."""


def subscribe(site: Site) -> Peer:
    """Make the PBX notify a stranger, whom ``Contact`` names; return him."""
    stranger, spoofed = site.peer(STRANGER), site.peer(PHONE)
    more = "Event: presence\r\nExpires: 600\r\nAccept: application/pidf+xml\r\n"
    here, there = spoofed.endpoint, stranger.endpoint
    asked = request("SUBSCRIBE", here, user="agent", contact=there, more=more)
    site.await_try(STRANGER, lambda: spoofed.send(asked))
    return stranger


def call(site: Site) -> Peer:
    """Make the PBX send the media of a call to a stranger; return him when it has."""
    stranger, spoofed = site.peer(STRANGER, MEDIA_PORT), site.peer(PHONE)
    body = sdp(*stranger.endpoint)
    spoofed.send(request("INVITE", spoofed.endpoint, body=body))
    stranger.await_answer()
    return stranger


def media_is_heard(site: Site, stranger: Peer) -> bool:
    """Whether what the stranger sends as the other end of the call is delivered."""
    site.ear.heard()
    stranger.send(b"\x80\x00" + bytes(170), RTP_PORTS[0])
    return any(packet.source == stranger.endpoint for packet in site.ear.heard())


def test_without_a_fence_notified_strangers_get_in(on_pjsip: Site) -> None:
    assert on_pjsip.got(subscribe(on_pjsip)).delivered == 3


def test_notified_strangers_stay_blocked(on_pjsip: Site) -> None:
    on_pjsip.fence()

    assert on_pjsip.got(subscribe(on_pjsip)).delivered == 0


def test_notified_strangers_stay_blocked_with_replies_limited(on_pjsip: Site) -> None:
    on_pjsip.geofence.rule("60.toml", NO_REPLIES)
    on_pjsip.fence()

    assert on_pjsip.got(subscribe(on_pjsip)).delivered == 0


def test_without_replies_the_media_of_a_stranger_is_kept_out(on_pjsip: Site) -> None:
    stranger = call(on_pjsip)
    assert media_is_heard(on_pjsip, stranger)
    on_pjsip.geofence.rule("60.toml", NO_REPLIES)

    on_pjsip.fence()

    assert not media_is_heard(on_pjsip, stranger)


def test_with_replies_the_media_of_a_call_that_the_pbx_took_comes_in(on_pjsip: Site) -> None:
    """The fence cannot tell it from the media of a trunk; README says so."""
    on_pjsip.fence()

    assert media_is_heard(on_pjsip, call(on_pjsip))
