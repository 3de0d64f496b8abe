"""Beside Docker's rules, as its daemon wrote them; ``with_docker.py`` has the daemon itself."""

from __future__ import annotations

from pathlib import Path

from geofence.lab.network import CONTAINER
from geofence.model.prefixes import Family
from tests.behaviour.fence import Fence
from tests.coexistence.beside import live_beside
from tests.coexistence.docker import INSIDE, OUTSIDE
from tests.coexistence.field import everybody, reach

RECORDED = Path(__file__).parent / "recorded"
CONTAINER_OF_DOCKER = "fd00:17::242:ac11:2"
"""In the recorded rules; the IPv4 address is that of the lab's container."""


def write_rules(fence: Fence) -> None:
    for program in ("iptables", "ip6tables"):
        rules = (RECORDED / f"docker-20.10.24.{program}").read_text(encoding="ascii")
        here = rules.replace(CONTAINER_OF_DOCKER, str(CONTAINER[Family.IPV6]))
        fence.lab.pbx.run(f"{program}-restore", "--noflush", stdin=here)


def test_the_fence_is_up_beside_the_rules_of_docker(fence: Fence) -> None:
    write_rules(fence)
    without = reach(fence, INSIDE + OUTSIDE)
    assert everybody(without, "container") == INSIDE
    assert everybody(without, "pbx") == OUTSIDE

    live_beside(fence, without, {})
