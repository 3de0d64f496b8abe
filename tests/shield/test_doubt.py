"""Where the shield could be wrong it is not armed, or goes; no packet is lost by it."""

from __future__ import annotations

import os

import pytest

from geofence.lab.network import PBX
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from geofence.model.shield import ShieldReason, ShieldState, Why
from geofence.operations.restore import restore
from geofence.operations.shield import lower_shield
from geofence.shield.pins import attached, directory
from tests.shield.scene import MEDIA, SIP, STRANGERS, Scene, asked, probe

STRANGER = STRANGERS[Family.IPV4]
CHAIN = "add table ip z\nadd chain ip z c { type filter hook prerouting priority -300; }\n"
ZONES = CHAIN + "add rule ip z c iifname wan ct zone set 7\n"
ANSWERED = """\
add chain ip z o { type filter hook output priority -300; }
add rule ip z o oifname wan ct zone set 7
"""
HELPER = """\
table ip h {
  ct helper sip-5060 { type "sip" protocol udp; }
  chain c { type filter hook prerouting priority -150; udp dport 5060 ct helper set "sip-5060"; }
}
"""
REWRITING = CHAIN + f"add rule ip z c udp dport {SIP} udp dport set 6060\n"
MARKING = CHAIN + "add rule ip z c iifname wan meta mark set 0x1\n"
SWALLOWING = """\
add table netdev n
add chain netdev n c { type filter hook ingress device wan priority 0; policy drop; }
"""
ACCEPTING = "insert rule inet geofence prerouting accept\n"


def nft(stage: Scene, rules: str) -> None:
    stage.lab.pbx.run("nft", "-f", "-", stdin=rules)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("rules", "why"), [(ZONES, Why.ZONES), (HELPER, Why.HELPERS), (MARKING, Why.MARKS)]
)
def test_rules_of_others_keep_it_down(
    nft_stage: Scene, rules: str, why: Why, *, late: bool
) -> None:
    if late:
        nft_stage.armed()
    nft(nft_stage, rules)
    nft_stage.apply()
    record = nft_stage.look()
    assert record.state is ShieldState.OFF
    assert {each.why for each in record.reasons} == {why}
    assert not nft_stage.up


def test_a_reply_in_a_zone_is_not_lost(nft_stage: Scene) -> None:
    nft_stage.armed()
    nft(nft_stage, ZONES + ANSWERED)
    nft_stage.look()
    asked(nft_stage.lab, Family.IPV4, MEDIA, 3478)
    assert nft_stage.lab.fire([probe(STRANGER, MEDIA, source_port=3478)]) == ["pbx"]


def test_the_first_disagreement_takes_it_down_and_nothing_is_lost(nft_stage: Scene) -> None:
    """A rule before the fence changes the port: what the shield looks at is not what counts."""
    nft_stage.apply()
    nft_stage.look()
    nft(nft_stage, REWRITING)
    assert nft_stage.knock(30) == ["pbx"] * 30
    record = nft_stage.look()
    assert record.state is ShieldState.OFF
    assert record.reasons[0].why is Why.DISAGREEMENT
    assert not nft_stage.up
    assert nft_stage.look().reasons[0].why is Why.DISAGREEMENT
    assert nft_stage.knock(3) == ["pbx"] * 3


def test_a_fence_that_others_flush_takes_it_down_until_the_repair(stage: Scene) -> None:
    stage.armed()
    if stage.site.backend == "nftables":
        nft(stage, "flush ruleset\n")
    else:
        for program in ("iptables", "ip6tables"):
            stage.lab.pbx.run(program, "-t", "mangle", "-F")
    record = stage.look()
    assert record.state is ShieldState.OFF
    assert record.reasons[0].why in (Why.NO_FENCE, Why.DRIFT)
    assert not stage.up
    assert stage.knock() == ["pbx"]
    with stage.lab.pbx.entered():
        restore(stage.site)
    assert stage.look().state is ShieldState.AUDITING


def test_a_hole_in_the_fence_shows_in_the_audit(nft_stage: Scene) -> None:
    nft_stage.apply()
    nft_stage.look()
    nft(nft_stage, ACCEPTING)
    nft_stage.knock(30)
    record = nft_stage.look(changed=False)
    assert record.state is ShieldState.OFF
    assert record.reasons[0].why in (Why.DRIFT, Why.NO_FENCE)


def test_samples_that_never_arrive_take_it_down(nft_stage: Scene) -> None:
    nft_stage.apply()
    nft_stage.look()
    nft(nft_stage, SWALLOWING)
    sender = nft_stage.lab._sender  # noqa: SLF001 - no marker can follow these
    for number in range(80):
        sent = Probe(STRANGER, PBX[Family.IPV4], Transport.UDP, SIP)
        sender.send(sent, 30_000 + number, number)
    records = [nft_stage.look(changed=False) for _ in range(5)]
    assert (records[-1].state, records[-1].reasons) == (
        ShieldState.OFF,
        (ShieldReason(Why.LOST_MARKS),),
    )


def test_a_bit_that_others_begin_to_use_is_given_up(nft_stage: Scene) -> None:
    assert nft_stage.armed().mark == 1 << 30
    nft_stage.lab.pbx.run("ip", "rule", "add", "fwmark", "0x40000000/0x40000000", "lookup", "77")
    record = nft_stage.look()
    assert (record.state, record.mark) == (ShieldState.ARMED, 1 << 29)
    assert nft_stage.knock(20) == [None] * 20
    assert nft_stage.look().state is ShieldState.ARMED


@pytest.mark.parametrize("made", ["by another user", "writable by all", "a link of another user"])
def test_names_that_others_could_have_made_are_neither_used_nor_taken_off(
    nft_stage: Scene, made: str
) -> None:
    nft_stage.armed()
    with nft_stage.lab.pbx.entered():
        place = directory(nft_stage.site.bpf_directory)
        (link,) = attached(nft_stage.site.bpf_directory)
        elsewhere = place.parent.with_name("another-program")
        place.parent.rename(elsewhere)
        if made == "a link of another user":
            place.parent.symlink_to(elsewhere)
            os.chown(place.parent, 1000, 1000, follow_symlinks=False)
        else:
            place.mkdir(parents=True)
            (place / link.name).symlink_to(elsewhere / place.name / link.name)
            owner, mode = (1000, 0o755) if made == "by another user" else (0, 0o777)
            os.chown(place.parent, owner, owner)
            place.parent.chmod(mode)
        lower_shield(nft_stage.site)
    assert nft_stage.knock() == [None]  # the program that is elsewhere was not taken off
    record = nft_stage.look()
    assert record.state is ShieldState.OFF
    assert {each.why for each in record.reasons} == {Why.SHARED}
    assert not nft_stage.up
