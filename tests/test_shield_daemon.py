"""Who keeps the shield: one process, whoever looks meanwhile."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from geofence import shield_daemon
from geofence.errors import BusyError
from geofence.operations.site import Site
from geofence.state.shield import LOCK, is_kept


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "rules", tmp_path / "state")


def test_a_command_that_looks_meanwhile_does_not_keep_the_process_from_starting(
    site: Site,
) -> None:
    site.state_directory.mkdir(mode=0o700)
    looking = os.open(site.state_directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.1, os.close, (looking,)).start()
    with shield_daemon._alone(site):  # noqa: SLF001 - all else of it needs a kernel
        assert is_kept(site.state_directory)
        with pytest.raises(BusyError), shield_daemon._alone(site):  # noqa: SLF001
            pass
    assert not is_kept(site.state_directory)
