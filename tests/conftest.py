"""What all tests share: the right to make network namespaces, and a lab made in one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from geofence.lab import privilege
from geofence.lab.network import Lab

# How long an example takes says how busy the machine is, and nothing about what is tested.
settings.register_profile("geofence", deadline=None)
settings.load_profile("geofence")


def pytest_configure() -> None:
    """Become root of a user namespace where needed; possible only before the first thread.

    How long an example takes says more of the machine's load than of the code.
    """
    privilege.ensure()
    settings.register_profile("geofence", deadline=None)
    settings.load_profile("geofence")


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A fresh network: the Internet, a PBX, and a container behind it."""
    with Lab() as made:
        yield made
