from __future__ import annotations

import pytest

from geofence.backends import registry
from geofence.lab.network import Lab
from tests.behaviour.fence import Fence


@pytest.fixture(params=sorted(registry.MODULES))
def fence(request: pytest.FixtureRequest, lab: Lab) -> Fence:
    """Every backend in turn, on the PBX of a fresh lab; nothing is applied yet."""
    return Fence(lab, registry.load(request.param))
