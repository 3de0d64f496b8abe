"""The sets of addresses of this host at which more is dropped than is noted, in a real kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.flood import Frames, sending_socket, udp_frame
from geofence.apply import apply_ruleset, plan_for
from geofence.backends.nftables import messages
from geofence.backends.nftables.backend import NftablesBackend
from geofence.backends.nftables.kernel_sets import FloodKey, key_of, set_of
from geofence.backends.prefilter_key import PrefilterKey
from geofence.lab.network import CONTAINER, PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.lab.sender import MACS
from geofence.model.prefixes import Family
from geofence.model.sets import NOTED_PER_SECOND
from tests.backends.test_runtime_sets import RULESET
from tests.oracle.flooded import flood
from tests.support.values import families

BACKEND = NftablesBackend()
FAILOVER = "203.0.113.50"
"""Routed to the host, and not configured on it."""
ALLOWED = {Family.IPV4: ip_address("20.1.2.3"), Family.IPV6: ip_address("2001:db8:20::5")}
STRANGER = {Family.IPV4: ip_address("45.9.1.1"), Family.IPV6: ip_address("2a00:1450::7")}
_STRANGERS = [f"46.0.{number >> 8}.{number & 0xFF}" for number in range(4 * NOTED_PER_SECOND)]


@pytest.fixture(autouse=True)
def pbx(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """The PBX of a lab with a fence that remembers for long where floods go."""
    monkeypatch.setattr(messages, "FLOOD_MILLISECONDS", 600_000)
    with lab.pbx.entered():
        apply_ruleset(BACKEND, RULESET)
        yield lab
        BACKEND.remove()


def send_flood(lab: Lab, target: str) -> None:
    """Send a packet of each stranger as fast as it goes."""
    mac = bytes.fromhex(MACS["wan"].replace(":", ""))
    frames = [udp_frame(mac, source, target, 5060, b"x" * 20) for source in _STRANGERS]
    with lab.internet.entered(), sending_socket("wan") as by:
        Frames(frames).send(by, 0, len(frames))


def flooded(lab: Lab, name: str = "flood4-sip") -> list[str]:
    """What the kernel has put into a set."""
    listed = json.loads(lab.pbx.run("nft", "-j", "list", "set", "inet", "geofence", name))
    (found,) = (each["set"] for each in listed["nftables"] if "set" in each)
    return [each["elem"]["val"] for each in found.get("elem", [])]


def test_of_a_flood_the_address_is_remembered_and_every_packet_counted(pbx: Lab) -> None:
    send_flood(pbx, str(PBX[Family.IPV4]))

    assert flooded(pbx) == [str(PBX[Family.IPV4])]
    assert BACKEND.observe().dropped["sip"].packets == len(_STRANGERS)
    assert plan_for(BACKEND, RULESET).is_empty


def test_fewer_packets_than_are_noted_are_no_flood(pbx: Lab) -> None:
    stranger = Probe(ip_address("46.0.0.1"), PBX[Family.IPV4], Transport.UDP, 5060)
    pbx.fire([stranger] * 20)

    assert flooded(pbx) == []


def test_an_address_that_is_not_this_hosts_is_not_remembered(pbx: Lab) -> None:
    """What is only sent on through this host could lose packets that no rule of its drops."""
    to = ("-d", FAILOVER, "-p", "udp", "--dport", "5060")
    inside = ("DNAT", "--to-destination", f"{CONTAINER[Family.IPV4]}:5060")
    pbx.pbx.run("iptables", "-t", "nat", "-A", "PREROUTING", *to, "-j", *inside)

    send_flood(pbx, FAILOVER)

    assert flooded(pbx) == []
    assert BACKEND.observe().dropped["sip"].packets == len(_STRANGERS)


@pytest.mark.parametrize("family", Family)
def test_in_a_flood_who_is_allowed_gets_in_and_others_are_sent_on(pbx: Lab, family: Family) -> None:
    probes = {
        "pbx": Probe(ALLOWED[family], PBX[family], Transport.UDP, 5060),
        "container": Probe(STRANGER[family], CONTAINER[family], Transport.UDP, 5060),
        None: Probe(STRANGER[family], PBX[family], Transport.UDP, 5060),
    }
    before = pbx.fire(probes.values())
    assert flood() == 4
    noted = BACKEND.observe()

    assert pbx.fire(probes.values()) == before == list(probes)
    assert BACKEND.observe().dropped["sip"].packets == noted.dropped["sip"].packets + 1


@given(families, st.sampled_from(("sip", "a.b-c", "flood", "near")))
def test_names_can_be_read_back(family: Family, service: str) -> None:
    key = FloodKey(PrefilterKey(service, family))
    assert FloodKey.parse(key.name) == key
    assert PrefilterKey.parse(key.name) is None
    assert FloodKey.parse(key.near.name) is None
    assert key_of(set_of(key, f"{key.name}/2")) == key
