from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from geofence.errors import LabError
from geofence.lab import payloads
from geofence.lab.network import CONTAINER, GATEWAY, PBX, Lab
from geofence.lab.packets import Tcp
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from tests.support.probes import (
    Dress,
    Extension,
    long_datagram,
    lost,
    own,
    segments_to_pbx,
    unreachable,
)

SOURCES = {Family.IPV4: ip_address("133.1.2.3"), Family.IPV6: ip_address("2400:1::5")}
EVERY_DRESS = (
    Dress(),
    Dress(options=True, extensions=(Extension.HOP_BY_HOP, Extension.DESTINATION_OPTIONS)),
    Dress(fragment=24),  # the least that Linux reassembles: whole upper-layer header (RFC 8200, 5)
    Dress(fragment=9000, options=True, extensions=(Extension.DESTINATION_OPTIONS,)),
)


def probe(family: Family, transport: Transport = Transport.UDP, port: int = 5060) -> Probe:
    return Probe(SOURCES[family], PBX[family], transport, port)


def run(lab: Lab, command: str) -> None:
    lab.pbx.run(*command.split())


def open_descriptors() -> dict[str, str]:
    """What is open, less the descriptor that the question itself needs."""
    every = {
        path.name: str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.exists()
    }
    return {name: where for name, where in every.items() if "/proc/" not in where}


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize("link", ["wan", "tun0"])
def test_without_a_fence_everything_gets_in(
    lab: Lab, family: Family, transport: Transport, link: str
) -> None:
    probes = [
        replace(probe(family, transport), payload=payloads.rtp, build=dress, link=link)
        for dress in EVERY_DRESS
    ]

    assert lab.fire(probes) == ["pbx"] * len(probes)


@pytest.mark.parametrize("family", Family)
def test_an_icmp_error_gets_in(lab: Lab, family: Family) -> None:
    assert lab.fire([replace(probe(family), build=unreachable)]) == ["pbx"]


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("flags", [Tcp.NONE, Tcp.ACK, Tcp.RST, Tcp.SYN | Tcp.ACK, Tcp.FIN])
def test_segments_of_no_connection_are_seen(lab: Lab, family: Family, flags: Tcp) -> None:
    assert lab.fire([replace(probe(family, Transport.TCP), flags=flags)]) == ["pbx"]


@pytest.mark.parametrize("family", Family)
def test_the_pbx_forwards_to_the_container(lab: Lab, family: Family) -> None:
    assert lab.fire([replace(probe(family), destination=CONTAINER[family])]) == ["container"]


@pytest.mark.parametrize("family", Family)
def test_a_long_datagram_arrives_whole(lab: Lab, family: Family) -> None:
    long = replace(probe(family), payload=long_datagram, build=Dress(fragment=1200))

    assert lab.fire([long]) == ["pbx"]


def test_dropped_packets_are_missing_and_others_are_seen(lab: Lab) -> None:
    run(lab, "iptables -t mangle -A PREROUTING -p udp --dport 5060 -s 133.1.2.3 -j DROP")
    dropped = probe(Family.IPV4)
    others = [replace(dropped, port=5061), probe(Family.IPV6), probe(Family.IPV4, Transport.ICMP)]

    assert lab.fire([others[0], dropped, *others[1:], dropped]) == [
        "pbx", None, "pbx", "pbx", None,
    ]  # fmt: skip


def test_a_fence_around_everything_is_an_error_and_not_a_result(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geofence.lab.observer._TIMEOUT", 0.1)
    run(lab, "iptables -t mangle -A PREROUTING -j DROP")

    with pytest.raises(LabError, match="nothing fences did not reach pbx"):
        lab.fire([probe(Family.IPV4)])


def test_a_stream_counts_lost_packets(lab: Lab) -> None:
    run(lab, "iptables -t mangle -A PREROUTING -s 133.1.2.3 -p udp -j DROP")
    flows = {"lost": probe(Family.IPV4), "seen": probe(Family.IPV6)}

    with lab.stream(flows) as stream:
        while stream.arrived("seen") < 20:
            lab.settle()
        before = stream.arrived("lost")
        run(lab, "iptables -t mangle -F PREROUTING")
        while stream.arrived("lost") < 20:
            lab.settle()
        reports = stream.finish()

    assert before == 0
    assert lost(reports["seen"]) == 0
    assert lost(reports["lost"]) >= 20
    assert min(reports["lost"].arrived) == lost(reports["lost"])
    assert reports["lost"].sent == reports["seen"].sent


@pytest.mark.parametrize("family", Family)
def test_programs_on_the_internet_talk_with_the_pbx(lab: Lab, family: Family) -> None:
    own(lab, SOURCES[family])
    with (
        lab.pbx.socket(family.socket_family, socket.SOCK_STREAM) as listener,
        lab.internet.socket(family.socket_family, socket.SOCK_STREAM) as phone,
        segments_to_pbx(lab, family) as segments,
    ):
        listener.bind((str(PBX[family]), 5060))
        listener.listen()
        phone.bind((str(SOURCES[family]), 0))
        phone.settimeout(10)
        phone.connect((str(PBX[family]), 5060))
        heard, address = listener.accept()
        heard.close()
        assert address[0] == str(SOURCES[family])
        lab.settle()
        assert (SOURCES[family], address[1]) in segments()


def test_hosts_are_apart_from_each_other_and_from_this_machine(lab: Lab) -> None:
    here = socket.if_nameindex()
    with lab.pbx.entered():
        names = {name for _, name in socket.if_nameindex()}

    assert {"lo", "wan", "tun0", "docker0"} <= names
    assert socket.if_nameindex() == here
    assert not {"wan", "docker0"} & {name for _, name in here}


def test_the_error_of_a_failed_program_has_its_output(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"'ip link show nowhere' failed on pbx: .*nowhere"):
        lab.pbx.run("ip", "link", "show", "nowhere")
    with pytest.raises(LabError, match="no-such-program is not installed"):
        lab.pbx.run("no-such-program")


def test_leaving_a_host_leads_back_even_after_an_error(lab: Lab) -> None:
    before = Path("/proc/thread-self/ns/net").readlink()
    with pytest.raises(ZeroDivisionError), lab.pbx.entered():
        1 / 0  # noqa: B018 - any error does

    assert Path("/proc/thread-self/ns/net").readlink() == before


def test_a_closed_lab_leaves_no_descriptor_open() -> None:
    before = open_descriptors()
    with Lab() as lab:
        lab.fire([Probe(GATEWAY[Family.IPV4], PBX[Family.IPV4], Transport.ICMP)])

    assert open_descriptors() == before


def test_without_privilege_the_lab_names_the_remedy() -> None:
    """Root without capabilities may not even map itself into a user namespace."""
    bare = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
    program = "from geofence.lab.privilege import ensure; ensure()"

    done = subprocess.run(
        [*bare, sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert "LabUnavailable: No throw-away network namespace can be made here" in done.stderr
    assert "Run it as root" in done.stderr


def test_more_flows_than_there_are_numbers_for_are_an_error() -> None:
    """They would be taken for packets of other flows."""
    with Lab() as lab:
        too_many = {str(number): probe(Family.IPV4) for number in range(1 << 8)}
        for _ in range(2):
            with pytest.raises(LabError, match="255 connections"):
                lab.stream(too_many)
        with pytest.raises(LabError, match="255 connections"):
            lab.stream({"one": probe(Family.IPV4)})
