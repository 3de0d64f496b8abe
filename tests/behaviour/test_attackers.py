"""A hundred thousand attackers with forged addresses: the sets stay bounded, and useful."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.flood import Frames, sending_socket, udp_frame
from geofence.denied.sources import Knowledge, described, joined
from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.lab.sender import MACS
from geofence.model.elements import Noted
from geofence.model.prefixes import Family
from geofence.model.sets import MOST_NOTED, NOTED_PER_SECOND, Role, SetKey
from geofence.operations.runtime import synchronize
from geofence.operations.site import Site
from tests.behaviour.fence import Fence
from tests.behaviour.scene import RULESET
from tests.support.noted import note

ATTACKERS = 100_000
ROUNDS = 5
PERSISTENT = "45.9.1.3"
DENIED = SetKey(Role.DENIED, "sip", Family.IPV4)
SEEN = SetKey(Role.SEEN, "sip", Family.IPV4)
_LARGEST = 10_000_000
"""Bytes of a full IP set with counters."""

_SLACK = {"ipset": 1.1, "nftables": 1.000_1}
"""A full IP set still takes an entry whose bucket is empty: there is none to give up for it."""


def forged(count: int, skip: int = 0) -> Iterator[str]:
    """Different addresses that no list allows."""
    numbers = range(int(ip_address("46.0.0.0")), int(ip_address("50.0.0.0")), 37)
    return (str(ip_address(number)) for number in islice(numbers, skip, skip + count))


def flood(lab: Lab, sources: Iterator[str]) -> None:
    """Send a packet from each as fast as it goes."""
    mac = bytes.fromhex(MACS["wan"].replace(":", ""))
    target = str(PBX[Family.IPV4])
    frames = [udp_frame(mac, source, target, 5060, b"x" * 20) for source in sources]
    with lab.internet.entered(), sending_socket("wan") as by:
        Frames(frames).send(by, 0, len(frames))


def knock(lab: Lab, times: int) -> None:
    probe = Probe(ip_address(PERSISTENT), PBX[Family.IPV4], Transport.UDP, 5060)
    assert lab.fire([probe] * times) == [None] * times


def noted(fence: Fence, key: SetKey = DENIED) -> Noted:
    with fence.lab.pbx.entered():
        return fence.backend.noted(key)


def packets_of(found: Noted) -> int:
    """Packets of who keeps coming; 0 if he is not noted."""
    counts = dict(zip(found.networks, found.packets, strict=True))
    return counts.get(int(ip_address(PERSISTENT)), 0)


def test_of_a_flood_a_sample_is_noted_and_who_keeps_coming_stands_out(fence: Fence) -> None:
    fence.apply(RULESET)
    each = ATTACKERS // ROUNDS
    begun = time.monotonic()
    for turn in range(ROUNDS):
        flood(fence.lab, forged(each, turn * each))
        time.sleep(0.1)
        knock(fence.lab, 5)
    seconds = time.monotonic() - begun

    found = noted(fence)
    assert fence.dropped()["sip"] == ATTACKERS + 5 * ROUNDS
    assert NOTED_PER_SECOND <= found.number <= NOTED_PER_SECOND * (seconds + 2)
    assert packets_of(found) == 5 * ROUNDS
    (first,) = described(
        [joined("sip", Family.IPV4, found, noted(fence, SEEN), time.time())], Knowledge(), 1
    )
    assert str(first) == PERSISTENT


@pytest.mark.parametrize("already_noted", [True, False])
def test_a_full_set_grows_no_more_and_a_run_makes_room_for_who_keeps_coming(
    fence: Fence, tmp_path: Path, already_noted: bool
) -> None:
    fence.apply(RULESET)
    if already_noted:
        knock(fence.lab, 3)
    name = fence.backend.name
    note(fence.lab.pbx, name, dict.fromkeys(forged(MOST_NOTED - 1), 1))
    flood(fence.lab, forged(ATTACKERS - MOST_NOTED, MOST_NOTED))
    assert MOST_NOTED * 0.98 < noted(fence).number < MOST_NOTED * _SLACK[name]
    if name == "ipset":
        told = fence.run("ipset list -t geofence-denied4-sip")
        size = re.search(r"Size in memory: (\d+)", told)
        assert size
        assert int(size[1]) < _LARGEST

    with fence.lab.pbx.entered():
        site, held = Site(state_directory=tmp_path), fence.backend.observe().runtime
        assert synchronize(site, fence.backend, RULESET, held) == ()

    assert noted(fence).number == MOST_NOTED // 2
    assert noted(fence, SEEN).number <= MOST_NOTED // 2 + MOST_NOTED // 10
    before = packets_of(noted(fence))
    time.sleep(0.5)  # after a flood, for the next packet to be noted
    knock(fence.lab, 4)
    assert packets_of(noted(fence)) == before + 4
    if already_noted and name == "nftables":  # a full IP set gives up any entry for a new one
        assert before == 3
