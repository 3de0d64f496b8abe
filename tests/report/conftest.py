from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from geofence.geoip.atlas import make_atlas
from geofence.lab.network import Lab
from geofence.operations.snapshot import Snapshot, snapshot
from geofence.state.atlas import StoredAtlas, save_atlas
from tests.chaos.ground import Ground, ground
from tests.support.noted import note
from tests.support.values import space

HOSTILE = "<script>alert('1')</script>"
"""What somebody writes where people will read it."""


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A PBX at which strangers from Germany and Singapore have knocked."""
    with Lab() as lab, ground(tmp_path_factory.mktemp("visited"), "nftables", lab) as made:
        machine = made.machine
        machine.ok("refresh")
        machine.ok("allow", "office")
        machine.ok("ban", "20.1.2.3", "--for", "1h", "--reason", HOSTILE)
        spaces = {"DE": space("45.9.0.0/16"), "SG": space("8.0.0.0/8")}
        save_atlas(machine.state, StoredAtlas(make_atlas(spaces, datetime.now(UTC)), {}))
        note(machine.host, "nftables", {"45.9.1.1": 700, "8.1.1.1": 9, "203.0.113.7": 3})
        yield made


@pytest.fixture(scope="module")
def seen(visited: Ground) -> Snapshot:
    """The snapshot of it."""
    with visited.lab.pbx.entered():
        return snapshot(visited.site)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where reports are written."""
    return tmp_path
