"""``revoke`` and ``--cut`` against peers to which the PBX spoke first."""

from __future__ import annotations

import pytest

from tests.sipstack.messages import request
from tests.sipstack.peers import PHONE, STRANGER, TRUNK, Server, registrar, until
from tests.sipstack.site import Site

METHODS = pytest.mark.parametrize("method", ["OPTIONS", "REGISTER"])


def trunk(site: Site, address: str) -> Server:
    return site.closing.enter_context(registrar(site.lab, address))


def reaches(site: Site, server: Server, address: str) -> bool:
    """Whether the far end's request is delivered to the PBX."""
    site.ear.heard()
    server.send(request("OPTIONS", f"{address}:5060"))
    site.lab.settle()
    return any(packet.source == address for packet in site.ear.heard())


def speak_first(site: Site, method: str, address: str) -> Server:
    """Let the PBX speak to somebody, whose answer comes in."""
    server = trunk(site, address)
    site.pbx.send(method, address)
    until(lambda: bool(server.asked))
    return server


@METHODS
def test_a_revoked_peer_is_cut_off(attacked: Site, method: str) -> None:
    attacked.geofence.ok("refresh")
    attacked.geofence.ok("allow", "office")
    server = speak_first(attacked, method, TRUNK)
    assert reaches(attacked, server, TRUNK)

    attacked.geofence.ok("revoke", "office")

    assert not reaches(attacked, server, TRUNK)


@METHODS
def test_a_peer_of_a_country_that_is_given_up_is_cut_off(attacked: Site, method: str) -> None:
    attacked.geofence.ok("refresh")
    server = speak_first(attacked, method, PHONE)
    assert reaches(attacked, server, PHONE)
    attacked.geofence.rule("60.toml", f'[blocklist.mine]\nprefixes = ["{PHONE}/32"]\n')

    attacked.geofence.ok("apply", "--cut", "--accept", "live-sources")

    assert not reaches(attacked, server, PHONE)


@METHODS
def test_a_stranger_to_whom_the_pbx_spoke_is_cut_off(attacked: Site, method: str) -> None:
    attacked.geofence.ok("refresh")
    server = speak_first(attacked, method, STRANGER)
    assert reaches(attacked, server, STRANGER)

    attacked.geofence.ok("apply", "--cut", "--accept", "live-sources")

    assert not reaches(attacked, server, STRANGER)
