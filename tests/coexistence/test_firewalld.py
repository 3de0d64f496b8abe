"""Beside firewalld, which has a table of its own in nftables, or lives in those of iptables."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from geofence.backends import registry
from geofence.backends.ipset import conflicts
from geofence.lab.network import Lab
from tests.behaviour.fence import Fence
from tests.behaviour.scene import RULESET
from tests.coexistence.beside import live_beside
from tests.coexistence.field import CLOSED_SIP, CLOSED_UNFENCED, OPEN, everybody, fenced, reach
from tests.coexistence.machine import Machine
from tests.coexistence.theirs import theirs

BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <policy context="default">
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""
"""As much of the system's bus as root and firewalld need to talk to each other."""

ZONE = """\
<zone>
  <service name="ssh"/>
  <service name="sip"/>
  <port port="10000-20000" protocol="udp"/>
  <port port="9" protocol="udp"/>
  <interface name="wan"/>
  <interface name="docker0"/>
  <forward/>
</zone>
"""


def set_up(machine: Machine, backend: str) -> None:
    machine.write("/run/dbus/bus.conf", BUS)
    machine.write("/etc/firewalld/zones/public.xml", ZONE)
    machine.do(
        f"sed -i s/^FirewallBackend=.*/FirewallBackend={backend}/ /etc/firewalld/firewalld.conf"
    )
    machine.start("bus", "dbus-daemon --config-file=/run/dbus/bus.conf --nofork")
    machine.until("test -S /run/dbus/system_bus_socket")
    start(machine)


def start(machine: Machine) -> None:
    machine.start("firewalld", "firewalld --nofork")
    machine.until("firewall-cmd --state")


def restart(machine: Machine) -> None:
    machine.stop("firewalld")
    start(machine)


@pytest.fixture(params=["nftables", "iptables"])
def firewalld(request: pytest.FixtureRequest, machine: Machine) -> Machine:
    """A machine on which firewalld runs, with either of its own backends."""
    set_up(machine, request.param)
    return machine


def deeds(machine: Machine) -> dict[str, Callable[[], object]]:
    """What firewalld is told to do when it flushes all tables of iptables, if it ever does."""
    return {
        "reload": lambda: machine.do("firewall-cmd --reload"),
        "restart": lambda: restart(machine),
    }


def test_the_fence_is_up_beside_firewalld(fence: Fence, firewalld: Machine) -> None:
    without = reach(fence)
    assert everybody(without) == OPEN
    assert everybody(without, None) == CLOSED_SIP + CLOSED_UNFENCED

    added = {"a port added": lambda: firewalld.do("firewall-cmd --zone=public --add-port=4000/tcp")}
    flushing = {} if fence.backend.name == "ipset" else deeds(firewalld)
    live_beside(fence, without, added | flushing)


def test_debian_enables_firewalld_where_the_choice_of_backend_looks(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conflicts, "ROOT", machine.outside("/"))
    said = conflicts.rival()
    assert said is not None
    assert "firewalld" in said


@pytest.mark.parametrize("own", ["nftables", "iptables"])
def test_firewalld_flushes_iptables_and_apply_repairs_the_fence(
    lab: Lab, machine: Machine, own: str
) -> None:
    """The second firewalld, Debian 13's, leaves iptables alone unless its own rules are there."""
    set_up(machine, own)
    flushes = own == "iptables" or machine.do("firewall-cmd --version").startswith("1.")
    fence = Fence(lab, registry.load("ipset"))
    within = fenced(reach(fence))
    fence.apply(RULESET)

    for what, do in deeds(machine).items():
        do()
        seen = fence.plan(RULESET)
        assert (seen.rules_differ, seen.set_changes) == (flushes, ()), what
        before = theirs(fence)
        fence.apply(RULESET)
        assert theirs(fence) == before
        assert reach(fence) == within
