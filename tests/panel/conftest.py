from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from geofence.geoip.atlas import make_atlas
from geofence.lab.network import Lab
from geofence.state.atlas import StoredAtlas, save_atlas
from tests.chaos.ground import Ground, ground
from tests.panel.client import Panel, panel
from tests.support.noted import note
from tests.support.values import space


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A PBX at which strangers have knocked; tests leave it as they find it."""
    with Lab() as lab, ground(tmp_path_factory.mktemp("visited"), "nftables", lab) as made:
        made.machine.ok("refresh")
        spaces = {"DE": space("45.9.0.0/16"), "SG": space("8.0.0.0/8")}
        save_atlas(made.machine.state, StoredAtlas(make_atlas(spaces, datetime.now(UTC)), {}))
        sources = {f"45.9.7.{last}": last for last in range(1, 150)}
        note(made.machine.host, "nftables", {**sources, "8.1.1.1": 900, "203.0.113.7": 3})
        yield made


@pytest.fixture
def read_only(visited: Ground) -> Iterator[Panel]:
    """Its panel, without actions."""
    with panel(visited) as made:
        yield made


@pytest.fixture
def acting(visited: Ground) -> Iterator[Panel]:
    """Its panel, with actions."""
    with panel(visited, "--actions") as made:
        yield made
