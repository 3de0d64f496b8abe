"""The cluster that tests use: the fake one, or a real one that ``tests.clusters.real`` started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters.fake import FakeApi
from tests.clusters.scene import Scene

KUBECONFIG = "GEOFENCE_TEST_KUBECONFIG"
"""Names the administrator's kubeconfig of a real API server, if the tests are to use one."""


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A fake API server of its own."""
    with FakeApi() as made:
        yield made


@pytest.fixture
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """An installation with a target in the cluster."""
    real = os.environ.get(KUBECONFIG)
    if real is None:
        made = request.getfixturevalue("api")
        yield Scene(tmp_path, made.kubeconfig(tmp_path))
        return
    from tests.clusters.real.server import emptied

    found = Scene(tmp_path, Path(real))
    yield found
    emptied(found)
