from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.machine import BACKENDS, Machine, machine


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


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with a fence, for what changes nothing."""
    with machine(tmp_path_factory.mktemp("settled")) as made:
        made.ok("refresh")
        yield made
