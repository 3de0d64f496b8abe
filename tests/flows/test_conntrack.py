"""Real flows of a PBX in a network namespace, fenced by the ipset backend."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest

from geofence.apply import plan_for
from geofence.backends.registry import load
from geofence.flows.conntrack import cut, mend, read_flows
from geofence.flows.flow import Flow, FlowState
from geofence.flows.impact import impact
from geofence.flows.interfaces import with_interfaces
from geofence.lab.host import Host
from geofence.lab.network import CONTAINER, PBX, Lab
from geofence.lab.packets import Address
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from geofence.model.ruleset import Ruleset
from tests.flows.made import ruleset
from tests.support.probes import own, send_from_pbx

CALLER = {Family.IPV4: ip_address("35.185.177.49"), Family.IPV6: ip_address("2a00::1")}
OTHER = {Family.IPV4: ip_address("133.1.2.3"), Family.IPV6: ip_address("2400:1::5")}
OPEN = ruleset(("133.0.0.0/8", "2400::/16"), tuple(map(str, CALLER.values())))
SHUT = ruleset(("133.0.0.0/8", "2400::/16"))
TRUSTING = replace(SHUT, interfaces=("lo", "tun*"))
PHONE_PORT = 4444

Family_ = pytest.mark.parametrize("family", list(Family))


def fence(lab: Lab, wanted: Ruleset) -> None:
    backend = load("ipset")
    with lab.pbx.entered():
        backend.commit(plan_for(backend, wanted))


def call(source: Address, destination: Address, port: int = 5060) -> Probe:
    return Probe(source, destination, Transport.UDP, port, source_port=PHONE_PORT)


def answer(lab: Lab, probe: Probe) -> None:
    """Let the PBX send the other way in the probe's flow."""
    turned = Probe(
        probe.destination, probe.source, Transport.UDP, PHONE_PORT, source_port=probe.port
    )
    send_from_pbx(lab, turned)


def gets_in(lab: Lab, probe: Probe) -> bool:
    return lab.fire([probe]) == ["pbx"]


def flows_from(lab: Lab, source: Address) -> list[Flow]:
    with lab.pbx.entered():
        return [flow for flow in read_flows() if flow.source == int(source)]


def in_pbx(lab: Lab, change: Callable[[], int]) -> int:
    with lab.pbx.entered():
        return change()


@Family_
def test_a_flow_is_read_as_it_came_and_grows_with_its_packets(lab: Lab, family: Family) -> None:
    fence(lab, OPEN)
    probe = call(CALLER[family], PBX[family])
    assert gets_in(lab, probe)
    (asked,) = flows_from(lab, CALLER[family])
    expected = Flow(
        family,
        "udp",
        int(CALLER[family]),
        PHONE_PORT,
        int(PBX[family]),
        5060,
        inbound=True,
        state=FlowState.NEW,
        ident=asked.ident,
        admitted=True,
    )
    assert asked == expected
    answer(lab, probe)
    (answered,) = flows_from(lab, CALLER[family])
    assert answered == expected._replace(state=FlowState.ESTABLISHED)


@Family_
def test_connections_of_this_host_are_read_with_their_peer(lab: Lab, family: Family) -> None:
    fence(lab, OPEN)
    trunk = Probe(PBX[family], CALLER[family], Transport.UDP, 5062, source_port=5060)
    send_from_pbx(lab, trunk)
    (begun,) = flows_from(lab, CALLER[family])
    assert (begun.inbound, begun.begun_here) == (False, True)
    assert (begun.source_port, begun.port) == (5062, 5060)
    assert begun.destination == int(PBX[family])


@Family_
def test_routed_connections_are_not_inbound(lab: Lab, family: Family) -> None:
    fence(lab, OPEN)
    assert lab.fire([call(CALLER[family], CONTAINER[family])]) == ["container"]
    (passing,) = flows_from(lab, CALLER[family])
    assert not passing.inbound


@Family_
def test_an_address_may_be_local_in_another_routing_table(lab: Lab, family: Family) -> None:
    """As those of a VRF are; and as everything is to a transparent proxy, which does not count."""
    fence(lab, OPEN)
    route = ("ip", f"-{family.digit}", "route", "add", "local")
    for destination, table, inbound in (("default", "78", False), (CONTAINER[family], "77", True)):
        lab.pbx.run(*route, str(destination), "dev", "lo", "table", table)
        lab.fire([call(CALLER[family], CONTAINER[family])])
        assert flows_from(lab, CALLER[family])[0].inbound == inbound


def test_an_idle_host_has_no_connections() -> None:
    with Host("idle") as idle, idle.entered():
        assert read_flows() == ()
        assert mend(None) == 0


@Family_
def test_an_established_flow_outlives_the_rules_but_not_the_cut(lab: Lab, family: Family) -> None:
    fence(lab, OPEN)
    probe, other = (call(source[family], PBX[family]) for source in (CALLER, OTHER))
    for one in (probe, other):
        assert gets_in(lab, one)
        answer(lab, one)
    fence(lab, SHUT)
    assert gets_in(lab, probe)
    with lab.pbx.entered():
        doomed = impact(OPEN, SHUT, read_flows()).denied
    assert [flow.source for flow, _ in doomed] == [int(CALLER[family])]
    assert in_pbx(lab, lambda: cut(flow for flow, _ in doomed)) == 1
    assert not gets_in(lab, probe)
    assert gets_in(lab, other)


@Family_
def test_a_call_stays_cut_though_the_pbx_goes_on_sending(lab: Lab, family: Family) -> None:
    fence(lab, OPEN)
    media = call(CALLER[family], PBX[family], port=10000)
    assert gets_in(lab, media)
    answer(lab, media)
    fence(lab, SHUT)
    assert in_pbx(lab, lambda: cut(flows_from(lab, CALLER[family]))) == 1
    for _ in range(3):
        answer(lab, media)
        assert not gets_in(lab, media)


@Family_
def test_a_flow_that_the_pbx_reopened_is_cut_all_the_same(lab: Lab, family: Family) -> None:
    fence(lab, OPEN)
    media = call(CALLER[family], PBX[family], port=10000)
    assert gets_in(lab, media)
    flows = flows_from(lab, CALLER[family])
    lab.pbx.run("conntrack", "-F")
    answer(lab, media)
    fence(lab, SHUT)
    assert gets_in(lab, media), "an answer to what this host started"
    assert in_pbx(lab, lambda: cut(flows)) == 0
    assert not gets_in(lab, media)


@Family_
def test_unblocked_peers_pass_at_once(lab: Lab, family: Family) -> None:
    fence(lab, OPEN)
    probe = call(CALLER[family], PBX[family])
    assert gets_in(lab, probe)
    answer(lab, probe)
    fence(lab, SHUT)
    in_pbx(lab, lambda: cut(flows_from(lab, CALLER[family])))
    answer(lab, probe)
    assert in_pbx(lab, lambda: mend(SHUT)) == 0
    assert not gets_in(lab, probe)
    fence(lab, OPEN)
    assert in_pbx(lab, lambda: mend(OPEN)) == 1
    assert gets_in(lab, probe)
    assert in_pbx(lab, lambda: mend(None)) == 0


@Family_
def test_without_a_fence_dropped_connections_are_unblocked(lab: Lab, family: Family) -> None:
    fence(lab, SHUT)
    probe = call(OTHER[family], PBX[family])
    assert gets_in(lab, probe)
    in_pbx(lab, lambda: cut(flows_from(lab, OTHER[family])))
    (left,) = flows_from(lab, OTHER[family])
    assert left.severed
    assert not left.inbound
    assert in_pbx(lab, lambda: mend(None)) == 1
    assert flows_from(lab, OTHER[family]) == []


def test_a_port_published_by_destination_nat_is_cut_by_its_public_address(lab: Lab) -> None:
    there, behind = PBX[Family.IPV4], CONTAINER[Family.IPV4]
    published = "iptables -t nat -A PREROUTING -p udp --dport 5060 -j DNAT"
    lab.pbx.run(*published.split(), "--to-destination", str(behind))
    fence(lab, OPEN)
    probe = call(CALLER[Family.IPV4], there)
    assert lab.fire([probe]) == ["container"]
    (flow,) = flows_from(lab, CALLER[Family.IPV4])
    assert (flow.destination, flow.inbound) == (int(there), True)
    assert flow.reply
    fence(lab, SHUT)
    reply = Probe(behind, probe.source, Transport.UDP, PHONE_PORT, source_port=5060)
    assert in_pbx(lab, lambda: cut([flow])) == 1
    send_from_container(lab, reply)
    assert lab.fire([probe]) == [None]
    fence(lab, OPEN)
    assert in_pbx(lab, lambda: mend(OPEN)) == 1
    assert lab.fire([probe]) == ["container"]


def reached_by(lab: Lab, source: Address, wanted: Ruleset) -> str:
    """The interface that is found for the one flow from there."""
    with lab.pbx.entered():
        (found,) = with_interfaces(flows_from(lab, source), None, wanted)
    return found.interface


@Family_
def test_the_interface_of_a_source_is_that_of_its_route(lab: Lab, family: Family) -> None:
    fence(lab, OPEN)
    source, ip = CALLER[family], ("ip", f"-{family.digit}")
    lab.fire([call(source, PBX[family])])
    assert reached_by(lab, source, TRUSTING) == "wan"
    assert reached_by(lab, source, SHUT) == "", "nobody asks"
    lab.pbx.run(*ip, "route", "add", str(source), "dev", "tun0")
    assert reached_by(lab, source, TRUSTING) == "tun0"
    lab.pbx.run(*ip, "rule", "add", "from", str(PBX[family]), "lookup", "55")
    lab.pbx.run(*ip, "route", "add", "default", "dev", "docker0", "table", "55")
    assert reached_by(lab, source, TRUSTING) == "docker0"
    lab.pbx.run(*ip, "route", "replace", "unreachable", "default", "table", "55")
    assert reached_by(lab, source, TRUSTING) == ""


@Family_
def test_peers_behind_a_trusted_interface_are_unblocked(lab: Lab, family: Family) -> None:
    fence(lab, OPEN)
    probes = [call(source[family], PBX[family]) for source in (CALLER, OTHER)]
    probes[0] = replace(probes[0], link="tun0")
    assert lab.fire(probes) == ["pbx", "pbx"]
    both = [flow for source in (CALLER, OTHER) for flow in flows_from(lab, source[family])]
    fence(lab, nobody := replace(TRUSTING, sets=ruleset().sets))
    assert in_pbx(lab, lambda: cut(both)) == 2
    assert in_pbx(lab, lambda: mend(nobody)) == 0, "by now both are reached by the wan"
    to = ("dev", "tun0", "src", str(PBX[family]))
    lab.pbx.run("ip", f"-{family.digit}", "route", "add", str(CALLER[family]), *to)
    assert in_pbx(lab, lambda: mend(nobody)) == 1
    assert lab.fire(probes) == ["pbx", None]


def test_many_ways_are_asked_for(lab: Lab) -> None:
    fence(lab, OPEN)
    nobody = replace(TRUSTING, sets=ruleset().sets)
    sources = [ip_address((133 << 24) + number) for number in range(1, 1001)]
    lab.pbx.run("ip", "route", "add", "133.0.0.0/23", "dev", "tun0")
    lab.fire(call(source, PBX[Family.IPV4]) for source in sources)
    with lab.pbx.entered():
        found = {flow.source: flow.interface for flow in with_interfaces(read_flows(), nobody)}
    assert {found[int(source)] for source in sources[:511]} == {"tun0"}
    assert {found[int(source)] for source in sources[511:]} == {"wan"}


def send_from_container(lab: Lab, probe: Probe) -> None:
    with lab.container.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
        mouth.bind((str(probe.source), probe.source_port or 0))
        mouth.sendto(b"\0", (str(probe.destination), probe.port))
    lab.settle()


@Family_
def test_a_tcp_connection_is_cut_though_both_ends_go_on_sending(lab: Lab, family: Family) -> None:
    own(lab, CALLER[family])
    fence(lab, OPEN)
    with (
        lab.pbx.socket(family.socket_family, socket.SOCK_STREAM) as listener,
        lab.internet.socket(family.socket_family, socket.SOCK_STREAM) as phone,
    ):
        listener.bind((str(PBX[family]), 5060))
        listener.listen()
        phone.bind((str(CALLER[family]), PHONE_PORT))
        phone.settimeout(10)
        phone.connect((str(PBX[family]), 5060))
        served, _ = listener.accept()
        with served:
            served.settimeout(10)
            phone.sendall(b"before")
            assert served.recv(100) == b"before"
            (flow,) = flows_from(lab, CALLER[family])
            assert (flow.live, flow.protocol, flow.port) == (True, "tcp", 5060)
            fence(lab, SHUT)
            phone.sendall(b"still")
            assert served.recv(100) == b"still"
            assert in_pbx(lab, lambda: cut([flow])) == 1
            served.sendall(b"from the pbx")
            phone.sendall(b"after")
            lab.settle()
            served.setblocking(False)
            with pytest.raises(BlockingIOError):
                served.recv(100)


def test_a_connection_that_ends_is_not_live(lab: Lab) -> None:
    own(lab, CALLER[Family.IPV4])
    fence(lab, OPEN)
    with (
        lab.pbx.socket(socket.AF_INET, socket.SOCK_STREAM) as listener,
        lab.internet.socket(socket.AF_INET, socket.SOCK_STREAM) as phone,
    ):
        listener.bind((str(PBX[Family.IPV4]), 5060))
        listener.listen()
        phone.bind((str(CALLER[Family.IPV4]), PHONE_PORT))
        phone.connect((str(PBX[Family.IPV4]), 5060))
        served, _ = listener.accept()
        served.close()
        lab.settle()
        (flow,) = flows_from(lab, CALLER[Family.IPV4])
        assert (flow.closing, flow.live) == (True, False)


def test_many_flows_are_read_and_cut(lab: Lab) -> None:
    fence(lab, OPEN)
    sources = [ip_address((133 << 24) + number) for number in range(1, 1001)]
    lab.fire(call(source, PBX[Family.IPV4]) for source in sources)
    with lab.pbx.entered():
        inbound = [flow for flow in read_flows() if flow.inbound and flow.port == 5060]
        assert {flow.source for flow in inbound} == {int(source) for source in sources}
        assert cut(inbound) == len(sources)
        assert cut(inbound) == 0
        assert not [flow for flow in read_flows() if flow.inbound and flow.port == 5060]
        assert mend(OPEN) == len(sources)


@pytest.mark.parametrize("call_", ["read_flows()", "cut([flow])", "mend(None)"])
def test_without_privilege_the_message_names_the_remedy(call_: str) -> None:
    code = (
        "from geofence.flows.conntrack import cut, mend, read_flows\n"
        "from tests.flows.made import flow as made\n"
        "flow = made('20.0.0.1')\n"
        f"{call_}\n"
    )
    with Host("pbx") as host, host.entered():
        done = subprocess.run(
            ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode != 0
    assert "needs CAP_NET_ADMIN. Run geofence as root" in done.stderr
