from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from geofence.lab.network import Lab
from tests.chaos.ground import Ground, ground
from tests.cli.machine import BACKENDS


@pytest.fixture(params=BACKENDS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path, lab: Lab) -> Iterator[Ground]:
    """A PBX without a fence, for every backend in turn."""
    with ground(tmp_path, request.param, lab) as made:
        yield made


@pytest.fixture
def standing(fresh: Ground) -> Ground:
    """The same with a fence."""
    fresh.machine.ok("refresh")
    return fresh
