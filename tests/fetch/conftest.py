from __future__ import annotations

from collections.abc import Iterator

import pytest

from geofence.fetch.limits import Limits
from tests.support.list_server import ListServer


@pytest.fixture
def server() -> Iterator[ListServer]:
    with ListServer() as running:
        yield running


@pytest.fixture
def limits() -> Limits:
    """Bounds that a test can wait for."""
    return Limits(
        connect=5, read=5, body=20, size=1 << 20, backoff=0.01, retry_after=0.5, resolve=5, run=60
    )
