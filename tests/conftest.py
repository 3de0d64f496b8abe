"""What all tests share: the right to make network namespaces, and a lab made in one."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import settings

from geofence.backends.registry import MODULES
from geofence.lab import privilege
from geofence.lab.network import Lab
from tests.cli.machine import BACKENDS, Machine, machine

_BY_TURNS = ("chaos", "cli", "coexistence", "doctor", "operations", "real", "setup", "sipstack")
"""Directories whose tests run on one backend each, unless ``--thorough`` is given.

They take long, and mostly ask for what is around the fence. Each has its backend, half of them the
one and half the other. What the fence does to packets is tested on both, in ``behaviour``,
``backends`` and ``oracle``.
"""

_STDERR = 2

# How long an example takes says how busy the machine is, and nothing about what is tested.
settings.register_profile("geofence", deadline=None)
settings.load_profile("geofence")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take ``--thorough``."""
    told = "run every test on every backend; CI runs some on one backend each"
    parser.addoption("--thorough", action="store_true", help=told)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the other backend of tests that take turns."""
    if config.getoption("--thorough"):
        return
    left_out = [item for item in items if _is_the_others_turn(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _is_the_others_turn(item: pytest.Item) -> bool:
    if Path(item.path).parent.name not in _BY_TURNS:
        return False
    backends = sorted(MODULES)
    name, _, parameters = item.nodeid.partition("[")
    mine = [each for each in parameters.rstrip("]").split("-") if each in backends]
    return bool(mine) and mine[0] != backends[crc32(name.encode()) % len(backends)]


def pytest_configure() -> None:
    """Become root of a user namespace where needed; possible only before the first thread.

    How long an example takes says more of the machine's load than of the code.
    """
    privilege.ensure()
    settings.register_profile("geofence", deadline=None)
    settings.load_profile("geofence")


def pytest_unconfigure(config: pytest.Config) -> None:
    """End Python even if a failed test left a thread or process that it would wait for.

    What runs then is printed, and the exit code is 1. Python itself forgets this when it ends.
    """
    seconds = float(str(config.getini("faulthandler_timeout")))
    faulthandler.dump_traceback_later(seconds, exit=True, file=_STDERR)


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A fresh network: the Internet, a PBX, and a container behind it."""
    with Lab() as made:
        yield made


@pytest.fixture(params=BACKENDS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A machine without a fence, for every backend in turn."""
    with machine(tmp_path, request.param) as made:
        yield made


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Machine]:
    """A machine without a fence, where the backend does not matter."""
    with machine(tmp_path) as made:
        yield made
