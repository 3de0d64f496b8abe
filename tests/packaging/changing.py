"""From './bootstrap install' to the package, and back."""

from __future__ import annotations

from geofence.lab.network import Lab
from tests.packaging.builds import Builds
from tests.packaging.lifetime import (
    APT,
    ENABLE,
    ENABLED,
    FIRST_FENCE,
    STRANGERS,
    attacked,
    install,
    prepare,
    rebooted,
    under_attack,
    units_run,
)
from tests.walk.__main__ import Walk, all_well, furnish, strangers_in, unplug
from tests.walk.system import System

CHECKOUT = "/root/geofence"
_BOOTSTRAP = f"cd {CHECKOUT} && ./bootstrap install"
_BY_HAND = "find /etc/systemd/system -type f -name 'geofence-*'"


def changed(system: System, built: Builds, lab: Lab) -> list[str]:
    """Change over and back; what was not as it should be."""
    prepare(system, built)
    system.check_out(CHECKOUT)
    system.run("sh", "-c", _BOOTSTRAP)
    furnish(system, tracked=False)
    walk = Walk(lab)
    unplug(lab)
    with system.boot(lab.pbx) as walk.system:
        walk.expect("the first fence is up", holds=walk.type(FIRST_FENCE) in {0, 5})
        walk.expect("units are enabled", holds=walk.type(ENABLE) == 0)
        to_the_package(walk, built)
    rebooted(walk, system)
    back(system)
    by_hand_again(walk, system)
    return walk.problems


def to_the_package(walk: Walk, built: Builds) -> None:
    """Install the package over it."""
    with under_attack(walk):
        install(walk, built.current.name)
    units_run(walk)
    all_well(walk)
    _, left = walk.ask(f"{_BY_HAND}; ls -d /opt/geofence.*")
    walk.expect(f"no unit is there twice {left.strip()}", holds="/etc/systemd" not in left)
    walk.expect("what was moved aside is gone", holds="by-bootstrap" not in left)
    walk.expect("the old command works", holds=walk.type("/usr/local/bin/geofence --version") == 0)
    walk.expect("all files are as packaged", holds=walk.type("dpkg --verify geofence") == 0)
    refused = walk.ask(_BOOTSTRAP)
    walk.expect(
        "'./bootstrap install' refuses beside the package",
        holds=refused[0] == 1 and "apt-get remove geofence" in refused[1],
    )


def back(system: System) -> None:
    """Remove the package and install from the checkout, as on a machine with the Internet.

    It is powered off meanwhile; nothing but the installation has this machine's network.
    """
    system.run("unshare", "--net", *APT.split(), "remove", "--yes", "geofence")
    system.trust_as_here()
    system.run("sh", "-c", _BOOTSTRAP)
    system.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")


def by_hand_again(walk: Walk, system: System) -> None:
    """Boot it, then purge what is left of the package."""
    walk.say("rebooting, by './bootstrap install' again")
    unplug(walk.lab)
    with attacked(walk.lab) as stream, system.boot(walk.lab.pbx) as walk.system:
        walk.expect("no stranger got in at the boot", holds=strangers_in(stream, STRANGERS) == 0)
        purged = walk.type(f"{APT} purge --yes geofence")
        walk.expect("what is left of the package is purged", holds=purged == 0)
        for unit in ENABLED:
            code, said = walk.ask(f"systemctl is-enabled {unit}")
            walk.expect(f"{unit} is still {said.strip()}", holds=code == 0)
            _, place = walk.ask(f"systemctl show --property FragmentPath --value {unit}")
            walk.expect(f"it is {place.strip()}", holds=place.startswith("/etc/systemd/system/"))
        walk.look(fenced=True)
        all_well(walk)
        walk.expect("still no stranger got in", holds=strangers_in(stream, STRANGERS) == 0)
