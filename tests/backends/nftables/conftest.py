from __future__ import annotations

from collections.abc import Iterator

import pytest

from geofence.lab.host import Host


@pytest.fixture
def host() -> Iterator[Host]:
    """A network namespace with nothing in it, which the test is in."""
    with Host("pbx") as made, made.entered():
        yield made
