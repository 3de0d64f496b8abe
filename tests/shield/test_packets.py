"""Packets through the fence and the shield: nobody is dropped whom the fence passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from geofence.lab.network import CONTAINER, PBX
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from geofence.model.shield import ARMED_SAMPLE, ShieldState
from tests.shield.scene import (
    FRIENDS,
    MEDIA,
    NEIGHBOURS,
    SIP,
    STRANGERS,
    Scene,
    asked,
    probe,
)
from tests.support.probes import Dress, Extension, long_datagram


def test_an_audit_drops_nothing_and_then_arms(stage: Scene) -> None:
    stage.apply()
    record = stage.look()
    assert record.state is ShieldState.AUDITING
    assert [each.name for each in record.interfaces] == ["wan"]
    assert stage.knock(19) == [None] * 19
    record = stage.look()
    assert (record.state, record.samples) == (ShieldState.AUDITING, 19)
    assert stage.dropped() == 0
    stage.knock()
    assert stage.look().state is ShieldState.ARMED
    assert stage.knock(50) == [None] * 50
    assert stage.dropped() >= 45


@pytest.mark.parametrize("family", Family)
def test_the_shield_drops_strangers_and_leaves_the_rest_to_the_fence(
    stage: Scene, family: Family
) -> None:
    stage.armed()
    stranger = STRANGERS[family]
    for port in (SIP, MEDIA):
        assert stage.fired(probe(stranger, port, family=family)) == (False, 1)
    assert stage.fired(probe(FRIENDS[family], family=family)) == (True, 0)
    assert stage.fired(probe(NEIGHBOURS[family], family=family))[0] is False
    assert stage.fired(probe(stranger, 7, family=family)) == (True, 0)
    assert stage.fired(probe(stranger, family=family, link="tun0")) == (False, 0)
    behind = Probe(stranger, CONTAINER[family], Transport.UDP, SIP)
    assert stage.fired(behind) == (True, 0)
    split = probe(stranger, family=family, payload=long_datagram, build=Dress(fragment=1024))
    assert stage.fired(split)[1] == 0


@pytest.mark.parametrize("family", Family)
def test_replies_pass_and_near_misses_drop(stage: Scene, family: Family) -> None:
    stage.armed()
    asked(stage.lab, family, MEDIA, 3478)
    reply = probe(STRANGERS[family], MEDIA, family=family, source_port=3478)
    assert stage.fired(reply) == (True, 0)
    dress = Dress(options=True) if family is Family.IPV4 else Dress((Extension.HOP_BY_HOP,))
    assert stage.fired(replace(reply, build=dress)) == (True, 0)
    assert stage.fired(replace(reply, source_port=3479)) == (False, 1)
    assert stage.fired(replace(reply, port=MEDIA + 2)) == (False, 1)


def test_the_fence_still_notes_a_sample(stage: Scene) -> None:
    stage.armed()
    total = 6 * ARMED_SAMPLE
    stage.knock(total)
    dropped = stage.dropped()
    assert total - 40 < dropped < total


def test_nobody_who_is_allowed_is_marked(nft_stage: Scene) -> None:
    nft_stage.apply()
    nft_stage.look()
    nft_stage.lab.fire([probe(FRIENDS[Family.IPV4])] * 30)
    assert nft_stage.look().samples == 0
    assert nft_stage.knock() == [None]
    assert nft_stage.look().samples == 1


def test_an_address_that_went_away_is_in_no_program(stage: Scene) -> None:
    run = stage.lab.pbx.run
    run("ip", "address", "add", "198.51.100.77/32", "dev", "wan")
    stage.armed()
    to = Probe(STRANGERS[Family.IPV4], PBX[Family.IPV4] + 67, Transport.UDP, SIP)
    assert stage.fired(to) == (False, 1)
    run("ip", "address", "del", "198.51.100.77/32", "dev", "wan")
    run("ip", "route", "add", "198.51.100.77/32", "via", str(CONTAINER[Family.IPV4]))
    stage.look(changed=True)
    stage.lab.container.run("ip", "address", "add", "198.51.100.77/32", "dev", "lo")
    assert stage.fired(to) == (True, 0)
    assert stage.look().state is ShieldState.ARMED
    assert stage.fired(probe(STRANGERS[Family.IPV4])) == (False, 1)
