"""Beside ufw, which opens ports in the filter table of iptables."""

from __future__ import annotations

from tests.behaviour.fence import Fence
from tests.coexistence.beside import live_beside
from tests.coexistence.field import CLOSED_SIP, CLOSED_UNFENCED, OPEN, everybody, reach
from tests.coexistence.machine import Machine

ALLOWED = ("22/tcp", "5060", "10000:20000/udp", "9/udp")


def set_up(machine: Machine) -> None:
    for port in ALLOWED:
        machine.do(f"ufw allow {port}")
    machine.do("ufw route allow proto udp to any port 9")
    machine.do("ufw --force enable")


def test_the_fence_is_up_beside_ufw(fence: Fence, machine: Machine) -> None:
    set_up(machine)
    without = reach(fence)
    assert everybody(without) == OPEN
    assert everybody(without, None) == CLOSED_SIP + CLOSED_UNFENCED

    live_beside(
        fence,
        without,
        {
            "a rule added": lambda: machine.do("ufw allow 4000/tcp"),
            "reload": lambda: machine.do("ufw reload"),
            "restart": lambda: machine.do("/lib/ufw/ufw-init restart"),
        },
    )
