"""The shield's unit on an installed Debian: enabled, upgraded, killed, stopped, booted, removed."""

from __future__ import annotations

import json
import time

from geofence.lab.network import Lab
from tests.packaging.builds import Builds
from tests.packaging.lifetime import (
    APT,
    ENABLE,
    FIRST_FENCE,
    STRANGERS,
    attacked,
    install,
    prepare,
    under_attack,
)
from tests.walk.__main__ import Walk, all_well, furnish, strangers_in, unplug
from tests.walk.system import System

RULES = "[shield]\nenabled = true\n"
UNIT = "geofence-shield.service"
ENABLE_SHIELD = f"systemctl enable --now {UNIT}"
_SHOWN = {
    ("nft", "list", "tables"): "geofence-shield",
    ("tc", "filter", "show", "dev", "wan", "ingress"): "geofence",
}
"""What shows parts of the shield, and their names there."""
_STARTED = (
    f"systemctl show --value --property ExecMainStartTimestampMonotonic {UNIT};"
    " systemctl show --value --property ActiveEnterTimestampMonotonic geofence-restore.service"
)
_PATIENCE = 90
"""Seconds until the shield is as it should be; it is audited for ten at least."""


def shielded(system: System, built: Builds, lab: Lab) -> list[str]:
    """Live with a shield; what was not as it should be."""
    prepare(system, built)
    furnish(system, tracked=False)
    system.write("/etc/geofence/rules.d/55-shield.toml", RULES)
    walk = Walk(lab)
    unplug(lab)
    with system.boot(lab.pbx) as walk.system:
        _enabled(walk, built)
        _upgraded(walk, built)
        _killed(walk)
        _stopped(walk)
    with Lab() as anew:  # a boot, with a kernel that knows nothing
        walk.lab = anew
        _booted(walk, system)
    with Lab() as anew:
        walk.lab = anew
        unplug(anew)
        with system.boot(anew.pbx) as walk.system:
            _removed(walk, built)
    return walk.problems


def state(walk: Walk) -> str:
    """Return what 'geofence status' says of the shield, in a word."""
    _, said = walk.ask("geofence status --json 2>/dev/null")
    try:
        return str(json.loads(said)["shield"]["state"])
    except (ValueError, KeyError, TypeError):
        return said.strip()


def becomes(walk: Walk, wanted: str) -> None:
    """Wait until the shield is in a state."""
    began, seen = time.monotonic(), list[str]()
    while time.monotonic() - began < _PATIENCE:
        found = state(walk)
        if not seen or seen[-1] != found:
            seen.append(found)
        if found == wanted:
            break
        time.sleep(0.5)
    took = f"{time.monotonic() - began:.0f} s"
    told = f"the shield is {wanted} ({took}; seen: {', '.join(seen)})"
    walk.expect(told, holds=seen[-1] == wanted)


def dropped(walk: Walk) -> int:
    """Return how many packets the shield has dropped."""
    _, said = walk.ask("geofence status --json 2>/dev/null")
    return sum(each["packets"] for each in json.loads(said)["shield"].get("dropped", []))


def _arms(walk: Walk) -> None:
    """See it armed and at work, under attack."""
    becomes(walk, "armed")
    began, before = time.monotonic(), dropped(walk)
    while not (more := dropped(walk) - before) and time.monotonic() - began < _PATIENCE:
        time.sleep(1)
    walk.expect(
        f"it drops packets ({more}, known after {time.monotonic() - began:.0f} s)", holds=more > 0
    )


def _is_down(walk: Walk) -> None:
    """See that nothing of it is left in the kernel."""
    found = [
        " ".join(command) for command, name in _SHOWN.items() if name in walk.lab.pbx.run(*command)
    ]
    found += ["BPF file system"] if "geofence" in walk.ask("ls /sys/fs/bpf")[1] else []
    walk.expect(f"nothing of it is left in the kernel {found}", holds=not found)


def _enabled(walk: Walk, built: Builds) -> None:
    install(walk, built.previous.name)
    walk.expect("the first fence is up", holds=walk.type(FIRST_FENCE) in {0, 5})
    walk.expect("units are enabled", holds=walk.type(ENABLE) == 0)
    walk.expect("the shield is not", holds=walk.ask(f"systemctl is-enabled {UNIT}")[0] != 0)
    with under_attack(walk):
        walk.expect("now it is", holds=walk.type(ENABLE_SHIELD) == 0)
        _arms(walk)
    walk.look(fenced=True)
    all_well(walk)


def _upgraded(walk: Walk, built: Builds) -> None:
    _, before = walk.ask(f"systemctl show --value --property MainPID {UNIT}")
    with under_attack(walk):
        install(walk, built.current.name)
        _arms(walk)
        _, after = walk.ask(f"systemctl show --value --property MainPID {UNIT}")
        told = f"the new program keeps the shield (process {before.strip()}, {after.strip()})"
        walk.expect(told, holds=before != after and after.strip() != "0")
    all_well(walk)


def _killed(walk: Walk) -> None:
    with under_attack(walk):
        walk.expect("it is killed", holds=walk.type(f"systemctl kill --signal KILL {UNIT}") == 0)
        _, names = walk.ask("find /sys/fs/bpf -name 'tcx-*' -o -name 'clsact-*'")
        walk.expect("the shield stays up", holds=bool(names.strip()))
        _arms(walk)
    active = walk.ask(f"systemctl is-active {UNIT}")[1].strip()
    walk.expect(f"systemd has started it again ({active})", holds=active == "active")


def _stopped(walk: Walk) -> None:
    with under_attack(walk):
        walk.expect("it is stopped", holds=walk.type(f"systemctl stop {UNIT}") == 0)
        _is_down(walk)
        walk.expect(f"status says {state(walk)}", holds=state(walk) == "off")
        walk.type("geofence status")
        walk.expect("it is started", holds=walk.type(f"systemctl start {UNIT}") == 0)
        _arms(walk)


def _booted(walk: Walk, system: System) -> None:
    walk.say("rebooting")
    unplug(walk.lab)
    with attacked(walk.lab) as stream, system.boot(walk.lab.pbx) as walk.system:
        walk.expect("no stranger got in at the boot", holds=strangers_in(stream, STRANGERS) == 0)
        _arms(walk)
        shield, fence = (int(line) for line in walk.ask(_STARTED)[1].split())
        walk.expect(f"it started after the fence ({fence}, {shield})", holds=0 < fence <= shield)
        all_well(walk)
        walk.expect("still none", holds=strangers_in(stream, STRANGERS) == 0)


def _removed(walk: Walk, built: Builds) -> None:
    """Remove the fence with 'geofence remove', then package and fence, both with a shield."""
    with under_attack(walk, fenced=False):
        becomes(walk, "armed")
        walk.expect("the fence is removed", holds=walk.type("geofence remove") == 0)
        _is_down(walk)
        walk.expect(f"status says {state(walk)}", holds=state(walk) == "off")
        walk.expect("its unit goes on", holds=walk.ask(f"systemctl is-active {UNIT}")[0] == 0)
        walk.expect("the fence is made again", holds=walk.type(FIRST_FENCE) in {0, 5})
        # The shield leaves known connections to the fence, and some began while that ran.
        walk.expect("later ones are dropped", holds=walk.type(FIRST_FENCE) in {0, 5})
        _arms(walk)
    with under_attack(walk):
        walk.expect("it is removed", holds=walk.type(f"{APT} remove --yes geofence") == 0)
        _is_down(walk)
    walk.look(fenced=True)
    with under_attack(walk):
        install(walk, built.current.name)
        walk.type(f"systemctl start geofence-restore.service {UNIT}")
        _arms(walk)
    walk.type("echo geofence geofence/take-down boolean true | debconf-set-selections")
    walk.expect("it is purged", holds=walk.type(f"{APT} purge --yes geofence") == 0)
    _is_down(walk)
    walk.look(fenced=False)
