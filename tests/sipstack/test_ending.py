"""``revoke`` and ``--cut`` against peers to which the PBX spoke first."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from tests.sipstack.addresses import PHONE, STRANGER, TRUNK, Role
from tests.sipstack.conftest import FULL_STACKS
from tests.sipstack.peers import Server, until
from tests.sipstack.site import Site

METHODS = pytest.mark.parametrize("method", ["OPTIONS", "REGISTER"])


def speak_first(site: Site, method: str, role: Role) -> Server:
    """Let the PBX speak to somebody, whose answer comes in."""
    server = site.registrar(role)
    site.pbx.send(method, server.endpoint.address)
    until(lambda: bool(server.asked))
    return server


@FULL_STACKS
@METHODS
def test_a_revoked_peer_is_cut_off(attacked: Site, method: str) -> None:
    attacked.geofence.ok("refresh")
    attacked.geofence.ok("allow", "office")
    server = speak_first(attacked, method, TRUNK)
    assert attacked.is_reached_by(server)

    attacked.geofence.ok("revoke", "office")

    assert not attacked.is_reached_by(server)


@FULL_STACKS
@METHODS
def test_a_peer_of_a_country_that_is_given_up_is_cut_off(attacked: Site, method: str) -> None:
    attacked.geofence.ok("refresh")
    server = speak_first(attacked, method, PHONE)
    assert attacked.is_reached_by(server)
    attacked.geofence.rule(
        "60.toml", f'[blocklist.mine]\nprefixes = ["{ip_network(attacked.address(PHONE))}"]\n'
    )

    attacked.geofence.ok("apply", "--cut", "--accept", "live-sources")

    assert not attacked.is_reached_by(server)


@FULL_STACKS
@METHODS
def test_a_stranger_contacted_by_the_pbx_is_dropped(attacked: Site, method: str) -> None:
    attacked.geofence.ok("refresh")
    server = speak_first(attacked, method, STRANGER)
    assert attacked.is_reached_by(server)

    attacked.geofence.ok("apply", "--cut", "--accept", "live-sources")

    assert not attacked.is_reached_by(server)
