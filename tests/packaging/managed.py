"""The Ansible role on a Debian: it installs the package, and does the rest, twice."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from geofence.lab.network import PBX, Lab
from geofence.model.prefixes import Family
from tests.contrib.role.controller import SSH, play
from tests.packaging.builds import Builds
from tests.packaging.lifetime import prepare, units_run
from tests.walk.__main__ import Walk, all_well, furnish, unplug
from tests.walk.system import System

_LISTENING = (
    f"systemd-run --quiet python3 -m http.server --bind {PBX[Family.IPV4]} {SSH} && sleep 2"
)
_OF_TIMER = "-p TimersCalendar -p RandomizedDelayUSec -p FixedRandomDelay"
_PATIENCE = 20
"""Seconds that the controller has to come back."""


def managed(system: System, built: Builds, lab: Lab) -> list[str]:
    """Run the role twice, then locking the controller out; what was not as it should be."""
    prepare(system, built)
    system.run("apt-get", "-q", "install", "--yes", "python3-apt")
    furnish(system, tracked=False)
    walk = Walk(lab)
    unplug(lab)
    with (
        tempfile.TemporaryDirectory(prefix="geofence-controller-") as place,
        system.boot(lab.pbx) as walk.system,
    ):
        walk.expect("the controller's port answers", holds=walk.type(_LISTENING) == 0)
        entering = list(walk.system.entering())
        wanted: dict[str, object] = {
            "ansible_lab_entering": entering,
            "ansible_python_interpreter": "/usr/bin/python3",
            "geofence_package": str(built.current),
            "geofence_countries": ["JP"],
            "geofence_refresh_at": "01:00",
            "geofence_refresh_spread": "15m",
        }
        _converge(walk, Path(place), wanted)
        _lock_out(walk, Path(place), wanted)
    return walk.problems


def _converge(walk: Walk, place: Path, wanted: dict[str, object]) -> None:
    walk.look(fenced=False)
    first = play(walk.lab, place, wanted)
    walk.say(first.said)
    walk.expect("the first run changes something", holds=first.changed > 0)
    walk.look(fenced=True)
    all_well(walk)
    units_run(walk)
    _, timer = walk.ask(f"systemctl show geofence-refresh.timer {_OF_TIMER}")
    said = ("01:00:00", "RandomizedDelayUSec=15min", "FixedRandomDelay=yes")
    walk.expect("the timer has its time", holds=all(each in timer for each in said))
    walk.expect("the second run changes nothing", holds=play(walk.lab, place, wanted).changed == 0)


def _lock_out(walk: Walk, place: Path, wanted: dict[str, object]) -> None:
    before = walk.ask("geofence history --json; cat /etc/geofence/rules.d/*")
    rules = {"60-ssh.toml": f'[service.ssh]\nports = ["{SSH}/tcp"]\n'}
    more = {"geofence_rules": rules, "geofence_confirm_within": _PATIENCE}
    refused = play(walk.lab, place, {**wanted, **more})
    walk.say(refused.text)
    walk.expect("a role that locks the controller out fails", holds=refused.failed == 1)
    walk.expect("the host took it back", holds="the host took it back" in refused.text)
    with walk.lab.internet.entered():
        socket.create_connection((str(PBX[Family.IPV4]), SSH), timeout=2).close()
    after = walk.ask("geofence history --json; cat /etc/geofence/rules.d/*")
    walk.expect("fence and rules are as before", holds=before == after)
    walk.look(fenced=True)
