"""What ``denied`` finds after real packets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from geofence.apply import apply_ruleset
from geofence.backends import registry
from geofence.backends.interface import Backend
from geofence.cli.views.denied import show_denied
from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.model.elements import TimedPrefix
from geofence.model.plan import Count
from geofence.model.prefixes import Family
from geofence.operations.denied import Selection, denied
from geofence.operations.site import Site
from geofence.screen import Screen
from tests.backends.test_runtime_sets import BANS, RULESET
from tests.support.values import prefix

STRANGER, BANNED = "45.9.1.1", "20.1.2.3"


@pytest.fixture(params=sorted(registry.MODULES))
def backend(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Backend]:
    """A backend with a fence in the lab's PBX, which the test is in."""
    made = registry.load(request.param)
    with lab.pbx.entered():
        apply_ruleset(made, RULESET)
        yield made
        made.remove()


def knock(lab: Lab, source: str, times: int) -> None:
    lab.fire([Probe(ip_address(source), PBX[Family.IPV4], Transport.UDP, 5060)] * times)


def test_packets_of_the_banned_are_dropped_and_not_noted(
    backend: Backend, lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time()
    backend.put(BANS, [TimedPrefix(prefix("20.1.0.0/16"), now + 600)], (), now)
    knock(lab, STRANGER, 2)
    knock(lab, BANNED, 4)
    report = denied(Site(state_directory=tmp_path), Selection())
    sip = next(each for each in report.services if each.name == "sip")
    assert sip.dropped == Count(6, 6 * report.rows[0].octets // 2)
    assert (sip.sources, sip.packets, sip.unnoted) == (1, 2, 4)
    show_denied(Screen(), report, Selection())
    assert (
        "sip: 4 more packets were dropped than the noted sources sent. Banned addresses are not "
        "noted, and of a flood only 2,000 packets a second are."
    ) in capsys.readouterr().out


def test_first_and_last_are_when_the_packets_came(
    backend: Backend, lab: Lab, tmp_path: Path
) -> None:
    knock(lab, STRANGER, 1)
    time.sleep(2.2)
    knock(lab, STRANGER, 1)
    assert backend.name
    (row,) = denied(Site(state_directory=tmp_path), Selection()).rows
    now = time.time()
    assert 1 <= (row.last - row.first).total_seconds() <= 4
    assert abs(now - row.last.timestamp()) < 3
    assert row.packets == 2
