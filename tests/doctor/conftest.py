from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.machine import BACKENDS
from tests.coexistence.conftest import debian
from tests.doctor.ward import Ward, ward

__all__ = ["debian"]


@pytest.fixture(params=BACKENDS)
def each(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ward]:
    """A healthy PBX for every backend in turn."""
    with ward(tmp_path, request.param) as made:
        yield made


@pytest.fixture
def pbx(tmp_path: Path) -> Iterator[Ward]:
    """A healthy PBX, where the backend does not matter."""
    with ward(tmp_path, "nftables") as made:
        yield made
