"""Real firewalls beside the fence: what doctor says they drop is what real packets do not reach."""

from __future__ import annotations

import pytest

from geofence.doctor.evidence import Evidence
from geofence.doctor.findings import Finding
from geofence.doctor.findings import FindingKind as Kind
from geofence.doctor.other_programs import CHECKS
from geofence.lab.network import Lab
from geofence.lab.probes import Transport
from geofence.model.policy import Ports, Protocol
from geofence.operations.evidence import rules_of_others
from geofence.other_rules.programs import read_tables
from tests.coexistence import test_firewalld as firewalld
from tests.coexistence import test_ufw as ufw
from tests.coexistence.conftest import machine
from tests.coexistence.field import CLOSED_SIP
from tests.coexistence.machine import Machine
from tests.coexistence.test_docker import RECORDED

__all__ = ["machine"]

SERVICES = {
    "sip": (Ports(Protocol.UDP, 5060, 5060), Ports(Protocol.TCP, 5060, 5061)),
    "rtp": (Ports(Protocol.UDP, 10000, 20000),),
}


def found(lab: Lab) -> list[Finding]:
    """Return what checks say of the rules on the PBX."""
    with lab.pbx.entered():
        rules = rules_of_others(read_tables(), SERVICES)
    assert rules.other.unread == ()
    evidence = Evidence(SERVICES, rules=rules)
    return [each for check in CHECKS for each in check(evidence)]


def assert_only_the_closed_port_is_told(findings: list[Finding]) -> None:
    """The tests of coexistence send packets to show that this port alone is closed."""
    assert CLOSED_SIP == [(Transport.TCP, 5061)]
    assert {each.kind for each in findings} <= {Kind.POLICY_DROPS, Kind.DROPPED_BY_OTHERS}
    assert {each.data["ports"] for each in findings} == {"5061/tcp"}
    told = " ".join(str(each.data["families"]) for each in findings)
    assert "ipv4" in told
    assert "ipv6" in told


def test_ufw(machine: Machine, lab: Lab) -> None:
    ufw.set_up(machine)
    assert_only_the_closed_port_is_told(found(lab))


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_firewalld_by(backend: str, machine: Machine, lab: Lab) -> None:
    """Its service "sip" gives connections the kernel's helper, too."""
    firewalld.set_up(machine, backend)
    told = found(lab)
    assert Kind.SIP_HELPER in {each.kind for each in told}
    assert_only_the_closed_port_is_told([each for each in told if each.kind != Kind.SIP_HELPER])


def test_rules_of_docker_that_publish_fenced_ports_are_no_fault(lab: Lab) -> None:
    for program in ("iptables", "ip6tables"):
        rules = (RECORDED / f"docker-20.10.24.{program}").read_text(encoding="ascii")
        lab.pbx.run(f"{program}-restore", "--noflush", stdin=rules)
    assert found(lab) == []
    with lab.pbx.entered():
        without = rules_of_others(read_tables(), {})
    named = {str(each.named) for each in without.published}
    assert {"5060/udp", "5060/tcp", "10000/udp", "7000/udp"} <= named
    evidence = Evidence({}, rules=without)
    open_ports = {each.subject for check in CHECKS for each in check(evidence)}
    assert open_ports == {"5060/udp", "5060/tcp", "7000/udp"}, "no service has them"
