"""Beside Docker itself, with a PBX in a container.

Not among the tests that run by default, for it fetches 65 MB and runs containers on this machine;
``docs/coexistence.md`` has the commands. It needs root, and cgroups it may make groups in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from geofence.lab.network import Lab
from tests.behaviour.fence import Fence
from tests.behaviour.scene import RULESET
from tests.coexistence import docker
from tests.coexistence.beside import live_beside
from tests.coexistence.docker import INSIDE, OUTSIDE
from tests.coexistence.field import everybody, fenced, reach
from tests.coexistence.machine import DOWNLOADED, Debian, Machine

PACKAGES = DOWNLOADED.with_name("peers-docker")


@pytest.fixture(scope="session")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    """Docker in a layer of its own."""
    made = Debian(tmp_path_factory.mktemp("docker"), PACKAGES, docker.PACKAGES)
    yield made
    made.close()


@pytest.fixture
def dockerized(layer: Debian, lab: Lab) -> Iterator[Machine]:
    """A machine where Docker runs a PBX; nothing of it is left on this one."""
    groups = set(_groups())
    with layer.machine(lab.pbx) as machine:
        docker.set_up(lab, machine)
        yield machine
        machine.do("docker rm --force pbx")
        machine.stop("dockerd")
    for group in set(_groups()) - groups:
        group.rmdir()


def _groups() -> Iterator[Path]:
    """Cgroups that dockerd makes for all containers, either version of cgroups."""
    return Path("/sys/fs/cgroup").glob("**/docker")


def test_the_fence_is_up_beside_docker(fence: Fence, dockerized: Machine) -> None:
    with docker.observed(fence.lab, dockerized):
        without = reach(fence, INSIDE + OUTSIDE)
        assert everybody(without, "container") == INSIDE
        assert everybody(without, "pbx") == OUTSIDE
        live_beside(fence, without, {})


def test_the_fence_stays_when_docker_is_restarted(fence: Fence, dockerized: Machine) -> None:
    with docker.observed(fence.lab, dockerized):
        within = fenced(reach(fence, INSIDE + OUTSIDE))
    fence.apply(RULESET)

    docker.restart(dockerized)

    assert fence.plan(RULESET).is_empty
    with docker.observed(fence.lab, dockerized):
        assert reach(fence, INSIDE + OUTSIDE) == within
