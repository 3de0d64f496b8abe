"""Exceptions that follow names, shown by packets."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from tests.chaos.ground import Ground, ground
from tests.cli.machine import BACKENDS
from tests.cli.world import FOREIGN
from tests.support.name_server import asking

SRV, SERVER = "_sips._tcp.provider.net", "sip.provider.net"
FOLLOW = ("refresh", "--names-only")


@pytest.fixture(params=BACKENDS)
def pbx(request: pytest.FixtureRequest, tmp_path: Path, lab: Lab) -> Iterator[Ground]:
    """A PBX without a fence, for every backend in turn."""
    with ground(tmp_path, request.param, lab) as made:
        yield made


def arrive(pbx: Ground) -> list[bool]:
    """Whether SIP from the two foreign addresses arrives."""
    probes = [
        Probe(ip_address(source), PBX[family], Transport.UDP, 5060)
        for source, family in zip(FOREIGN, Family, strict=True)
    ]
    return [landed == "pbx" for landed in pbx.lab.fire(probes)]


def test_packets_of_a_name_arrive_while_dns_gives_their_source(pbx: Ground) -> None:
    pbx.machine.rule("60-trunk.toml", f'[exception.trunk]\nsrv = ["{SRV}"]\ngrace = "0s"\n')
    with asking(pbx.machine) as names:
        names.services[SRV] = [f"10 5 5061 {SERVER}."]
        names.addresses[SERVER] = ["45.200.0.1"]
        pbx.machine.ok("refresh")
        assert arrive(pbx) == [False, False]
        names.addresses[SERVER] = list(FOREIGN)
        pbx.machine.ok(*FOLLOW)
        assert arrive(pbx) == [True, True]
        names.codes[SERVER] = "SERVFAIL"
        assert pbx.machine.run(*FOLLOW).code == 5
        assert arrive(pbx) == [True, True]
        names.codes.clear()
        names.addresses[SERVER] = [FOREIGN[1]]
        pbx.machine.ok(*FOLLOW)
        assert arrive(pbx) == [False, True]
