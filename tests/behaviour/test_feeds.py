"""Media of a provider that a feed gives, by packets: they reach RTP and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from tests.chaos.ground import Ground, ground
from tests.cli.machine import BACKENDS
from tests.support.list_server import content

MEDIA = ("64.16.226.9", "2a05:d000:1::9")
SIGNALLING = ("192.76.120.14", "2600:1900::14")
STRANGER = ("45.200.0.1", "2a00:1450::1")
PORTS = (
    (Transport.UDP, 10_000),
    (Transport.UDP, 20_000),
    (Transport.UDP, 5060),
    (Transport.TCP, 5061),
)
"""Two of the media, two of the signalling."""


@pytest.fixture(params=BACKENDS)
def pbx(request: pytest.FixtureRequest, tmp_path: Path, lab: Lab) -> Iterator[Ground]:
    """A PBX without a fence, for every backend in turn."""
    with ground(tmp_path, request.param, lab) as made:
        yield made


def arrive(pbx: Ground, sources: tuple[str, str], transport: Transport, port: int) -> list[bool]:
    """Whether packets from addresses of both families arrive."""
    probes = [
        Probe(ip_address(source), PBX[family], transport, port)
        for source, family in zip(sources, Family, strict=True)
    ]
    return [landed == "pbx" for landed in pbx.lab.fire(probes)]


def everywhere(pbx: Ground, sources: tuple[str, str]) -> list[list[bool]]:
    return [arrive(pbx, sources, *port) for port in PORTS]


def test_media_reach_rtp_only_and_signalling_sip_only(pbx: Ground) -> None:
    feed = {"media": ["64.16.226.0/24", "2a05:d000:1::/48"]}
    url = pbx.machine.server.on("/voice.json", content(json.dumps(feed).encode()))
    signalling = ", ".join(f'"{each}"' for each in SIGNALLING)
    pbx.machine.rule(
        "60-provider.toml",
        f"""
        [exception.provider-media]
        feed = "{url}"
        services = ["rtp"]
        group = "provider"
        enabled = false
        [exception.provider-sip]
        prefixes = [{signalling}]
        services = ["sip"]
        group = "provider"
        enabled = false
        """,
    )
    yes, no = [True, True], [False, False]
    pbx.machine.ok("refresh")
    assert everywhere(pbx, MEDIA) == everywhere(pbx, SIGNALLING) == [no] * 4

    pbx.machine.ok("allow", "provider")

    assert everywhere(pbx, MEDIA) == [yes, yes, no, no]
    assert everywhere(pbx, SIGNALLING) == [no, no, yes, yes]
    assert everywhere(pbx, STRANGER) == [no] * 4

    pbx.machine.ok("revoke", "provider")
    assert everywhere(pbx, MEDIA) == everywhere(pbx, SIGNALLING) == [no] * 4
