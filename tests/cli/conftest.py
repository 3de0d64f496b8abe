from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.machine import Machine, machine


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with a fence, for what changes nothing."""
    with machine(tmp_path_factory.mktemp("settled")) as made:
        made.ok("refresh")
        yield made
