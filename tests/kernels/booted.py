"""``python -m tests.kernels.booted``: an installed Debian with a shield, booted on its own kernel.

The package is installed on a Debian as debootstrap makes it, with a fence and the unit of the
shield. Then that is booted in an emulated machine, as after a reboot, while a stranger sends SIP.
Needs what ``tests.kernels`` and ``tests.packaging`` need; a quarter of an hour:

    python -m tests.kernels.booted --release trixie
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from geofence.lab.network import Lab
from tests.kernels.kernel import Kernel, fetched, index
from tests.kernels.machine import Machine
from tests.packaging.__main__ import BUILT
from tests.packaging.builds import Builds, builds
from tests.packaging.lifetime import ENABLE, FIRST_FENCE, install, prepare
from tests.packaging.shielded import ENABLE_SHIELD, RULES
from tests.walk.__main__ import Walk, furnish, unplug
from tests.walk.system import System, debootstrapped

_JUDGE = Path(__file__).with_name("judge.py")
_UNNEEDED = ("serial-getty@ttyS0.service", "ifupdown-pre.service", "man-db.timer")
_CABLE = """\
[Unit]
DefaultDependencies=no
Before=networking.service network-pre.target
Wants=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip netns add internet
ExecStart=ip link add wan type veth peer name far netns internet
ExecStart=ip -n internet link set lo up
ExecStart=ip -n internet link set far up
ExecStart=ip -n internet address add 198.51.100.1/24 dev far
ExecStart=ip -n internet address add 45.83.64.99/32 dev lo
ExecStart=ip -n internet address add 133.1.2.3/32 dev lo
[Install]
WantedBy=networking.service
"""
_PATIENT = """\
[Manager]
DefaultTimeoutStartSec=15min
DefaultDeviceTimeoutSec=15min
"""
_PATIENT_UNITS = "[Service]\nTimeoutStartSec=15min\n"
_JUDGED = """\
[Unit]
After=multi-user.target
[Service]
Type=exec
ExecStart=/usr/bin/python3 /srv/judge.py
[Install]
WantedBy=multi-user.target
"""


def main() -> int:
    """Boot it, and say how it was."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.kernels.booted",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--release", default="bookworm", help="bookworm or trixie")
    parser.add_argument("--built", type=Path, default=BUILT, help="where packages are or will be")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="geofence-booted-") as name:
        scratch = Path(name)
        kernel = fetched("linux-image-amd64", scratch, index(asked.release, scratch))
        walk = Walk(Lab())
        with walk.lab:
            system = System(debootstrapped(asked.release), scratch)
            _installed(walk, system, builds(asked.release, asked.built))
        with _disk(system, kernel) as disk:
            found = json.loads(Machine(kernel, scratch, disk).boot("found.json"))
    _judge(walk, found)
    walk.say(f"{asked.release}: {'failed' if walk.problems else 'all is well'}")
    return 1 if walk.problems else 0


def _installed(walk: Walk, system: System, built: Builds) -> None:
    """Install it with fence and shield, and power it off."""
    prepare(system, built)
    furnish(system, tracked=False)
    system.write("/etc/geofence/rules.d/55-shield.toml", RULES)
    unplug(walk.lab)
    with system.boot(walk.lab.pbx) as walk.system:
        install(walk, built.current.name)
        walk.expect("the first fence is up", holds=walk.type(FIRST_FENCE) in {0, 5})
        walk.expect("units are enabled", holds=walk.type(ENABLE) == 0)
        walk.expect("the shield is, too", holds=walk.type(ENABLE_SHIELD) == 0)
    system.write("/srv/judge.py", _JUDGE.read_text(encoding="utf-8"))
    system.write("/etc/systemd/system/cable.service", _CABLE)
    system.write("/etc/systemd/system/judge.service", _JUDGED)
    system.write("/etc/systemd/system.conf.d/patient.conf", _PATIENT)
    system.write("/etc/systemd/system/geofence-.service.d/patient.conf", _PATIENT_UNITS)
    system.run("systemctl", "--quiet", "enable", "cable.service", "judge.service")
    system.run("systemctl", "--quiet", "mask", *_UNNEEDED)


@contextmanager
def _disk(system: System, kernel: Kernel) -> Iterator[Path]:
    """Show the system as one directory, with the modules of the kernel."""
    place = system.upper.with_name("disk")
    place.mkdir()
    modules = system.upper / "usr/lib/modules" / kernel.release
    modules.mkdir(parents=True)
    with system.laid_over(place):
        inside = place / modules.relative_to(system.upper)
        subprocess.run(
            ["mount", "--bind", kernel.root / "lib/modules" / kernel.release, inside], check=True
        )
        try:
            yield place
        finally:
            subprocess.run(["umount", "--lazy", inside], check=True)


def _judge(walk: Walk, found: dict[str, Any]) -> None:
    walk.say(f"Linux {found['kernel']}")
    for line in found["journal"].splitlines():
        walk.say(f"    {line}")
    booted, later = found["booted"], found["later"]
    how = [each["how"] for each in booted.get("interfaces", [])]
    walk.expect(f"after the boot the shield is armed: {booted}", holds=booted["state"] == "armed")
    walk.expect(f"it is on the interface ({how})", holds=len(how) == 1)
    fence, process = found["times"]
    walk.expect(f"it started after the fence ({fence}, {process})", holds=0 < fence <= process)
    walk.expect(f"a phone is answered ({found['phone']} of 20)", holds=found["phone"] == 20)
    walk.expect(f"a stranger is not ({found['stranger']})", holds=not found["stranger"])
    before, after = (_dropped(each) for each in (booted, later))
    walk.expect(f"the shield drops ({before}, {after})", holds=before < after)
    for name, left in (("stopped", "left"), ("removed", "left removed")):
        state = found[name]["state"]
        walk.expect(f"{name}: the shield is {state}", holds=state == "off")
        walk.expect(f"nothing of it is left ({found[left]})", holds=not found[left])
    stranger = found["stranger stopped"]
    walk.expect(f"without it the fence blocks ({stranger})", holds=not stranger)
    state = found["started"]["state"]
    walk.expect(f"started again it is {state}", holds=state == "armed")
    stranger = found["stranger removed"]
    walk.expect(f"without a fence a stranger is answered ({stranger})", holds=stranger == 20)


def _dropped(shield: dict[str, Any]) -> int:
    return sum(each["packets"] for each in shield.get("dropped", []))


if __name__ == "__main__":
    sys.exit(main())
