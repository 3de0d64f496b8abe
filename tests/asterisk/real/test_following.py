"""The fence follows the configuration of a running Asterisk, with real packets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.asterisk.real.asterisk import missing
from tests.asterisk.real.scene import NORTH, PHONE, SOUTH, STRANGER, Scene, scene
from tests.cli.machine import BACKENDS
from tests.test_daemon import daemon

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "an Asterisk")

_WEST = """
[west]
type = identify
endpoint = north
match = 45.99.1.0/24
"""


def answered(office: Scene, address: str) -> bool:
    return bool(office.answer(address, "OPTIONS", 3))


def follow(office: Scene) -> Path:
    directory = office.asterisk.configuration
    office.geofence.rule(
        "40-follow.toml",
        f'[allow]\ncountries = ["JP"]\n[asterisk]\nfollow = true\ndirectory = "{directory}"\n',
    )
    return directory


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_trunk_that_is_added_gets_an_answer(tmp_path: Path, backend: str) -> None:
    with scene(tmp_path, backend) as office:
        directory = follow(office)
        office.geofence.ok("refresh")
        assert [answered(office, each) for each in (PHONE, NORTH, SOUTH, STRANGER)] == [
            *(True, True, True),
            False,
        ]
        with daemon(office.geofence) as running:
            running.until("watching every")
            (directory / "pjsip.d" / "west.conf").write_text(_WEST, encoding="utf-8")
            running.until("asterisk: Asterisk's configuration adds the exception asterisk-west")
            running.until("asterisk: updated")
            assert answered(office, STRANGER)
            (directory / "pjsip.d" / "west.conf").unlink()
            running.until("no longer has the trunk of the exception asterisk-west")
            running.until("asterisk: updated")
            assert running.end().code == 0
        # Its connection was admitted and goes on; a new one would not begin.
        assert office.geofence.gets_in(STRANGER) == [False]
