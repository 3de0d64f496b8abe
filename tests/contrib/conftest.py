from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from geofence.lab.network import Lab
from tests.chaos.ground import Ground, ground
from tests.contrib.watchers import DOWNLOADED, Watchers


@pytest.fixture(scope="session")
def watchers(tmp_path_factory: pytest.TempPathFactory) -> Watchers:
    """Prometheus, node_exporter and munin-node of Debian's packages, unpacked."""
    packages = sorted(DOWNLOADED.glob("*.deb"))
    assert packages, "./bootstrap test downloads them, as root and with apt"
    place = tmp_path_factory.mktemp("watchers")
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, place], check=True)
    return Watchers(place)


@pytest.fixture
def exported(tmp_path: Path, lab: Lab) -> Iterator[tuple[Ground, Path]]:
    """A PBX whose fence has written its metrics, and the file, which everybody can read."""
    with TemporaryDirectory() as directory, ground(tmp_path, "nftables", lab) as made:
        file = Path(directory) / "geofence.prom"
        file.parent.chmod(0o755)
        made.machine.rule("62-metrics.toml", f'[metrics]\ntextfile = "{file}"\n')
        made.machine.ok("refresh")
        yield made, file
