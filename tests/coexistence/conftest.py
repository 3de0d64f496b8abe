from __future__ import annotations

from collections.abc import Iterator

import pytest

from geofence.backends import registry
from geofence.lab.network import Lab
from tests.behaviour.fence import Fence
from tests.coexistence.machine import DOWNLOADED, Debian, Machine, is_real_root


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    """fail2ban, ufw and firewalld in a layer of their own."""
    if not is_real_root():
        pytest.skip("installing packages needs root, and not just of a user namespace")
    made = Debian(tmp_path_factory.mktemp("debian"), DOWNLOADED, ("fail2ban", "firewalld", "ufw"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(params=sorted(registry.MODULES))
def fence(request: pytest.FixtureRequest, lab: Lab) -> Fence:
    """Every backend in turn, on the PBX of a fresh lab; nothing is applied yet."""
    return Fence(lab, registry.load(request.param))


@pytest.fixture
def machine(debian: Debian, lab: Lab) -> Iterator[Machine]:
    """The PBX of the lab with the packages on it; none of them runs yet."""
    with debian.machine(lab.pbx) as made:
        yield made
