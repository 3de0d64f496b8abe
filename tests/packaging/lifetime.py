"""The life of a package on a Debian: installed, upgraded, booted, removed and purged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from geofence.lab.network import Lab
from geofence.lab.stream import Stream
from tests.packaging.builds import Builds
from tests.support.probes import lost as lost_of
from tests.walk.__main__ import Walk, all_well, attack, furnish, strangers_in, unplug
from tests.walk.system import System

PLACE = "/root/packages"
QUIETLY = "env DEBIAN_FRONTEND=noninteractive"
APT = f"{QUIETLY} apt-get -q -o Dpkg::Use-Pty=0"
FIRST_FENCE = "geofence refresh --accept live-sources --cut"
ENABLE = "systemctl enable --now geofence-restore.service geofence-refresh.timer"
ENABLED = (
    "geofence-restore.service",
    "geofence-reassert.service",
    "geofence-reassert-late.service",
    "geofence-repair.timer",
    "geofence-refresh.timer",
    "geofence-names.timer",
)
SHIPPED = (
    "ls /usr/share/man/man8/geofence-why.8.gz /usr/share/man/ja/man8/geofence.8.gz"
    " /usr/share/zsh/vendor-completions/_geofence"
    " /usr/share/fish/vendor_completions.d/geofence.fish"
)
COMPLETED = (
    "bash -c '. /usr/share/bash-completion/completions/geofence;"
    " COMP_WORDS=(geofence allow push-jp) COMP_CWORD=2; _geofence_completion geofence;"
    ' test "${COMPREPLY[*]}" = push-jp\''
)
LEFT_OVER = (
    "find / -xdev \\( -path /proc -o -path /sys -o -path /root -o -path /var/log -o -path /old"
    " -o -path /tmp -o -name 'systemd-private-*' \\) -prune -o -iname '*geofence*' -print"
)
STRANGERS = 44
STRANGERS_IPV6 = 8
_QUIET = 3
"""Seconds in which packets of strangers would get in."""


def prepare(system: System, built: Builds) -> None:
    """Install what the package depends on, which needs a mirror, and put the packages there."""
    system.trust_as_here()
    system.run("apt-get", "-q", "update")
    system.run("apt-get", "-q", "install", "--yes", "ipset", "iptables")
    target = system.upper / PLACE.lstrip("/")
    target.mkdir(parents=True)
    for package in built:
        (target / package.name).write_bytes(package.read_bytes())


def attacked(lab: Lab) -> Stream:
    """Start strangers and two phones: few of them, since a lab tells 255 flows apart in all."""
    return attack(lab, STRANGERS - STRANGERS_IPV6, STRANGERS_IPV6)


@contextmanager
def under_attack(walk: Walk, *, fenced: bool = True) -> Iterator[None]:
    """While something is done: no packet of a stranger passes, and no phone loses one."""
    with attacked(walk.lab) as stream:
        time.sleep(1)
        before = strangers_in(stream, STRANGERS)
        yield
        time.sleep(_QUIET)
        came = strangers_in(stream, STRANGERS) - before
        reports = stream.finish()
    if fenced:
        walk.expect(f"no packet of a stranger passed meanwhile ({came})", holds=not came)
    phones = {name: each for name, each in reports.items() if "phone" in name}
    sent = sum(each.sent for each in phones.values())
    lost = sum(lost_of(each) for each in phones.values())
    walk.expect(f"phones lost no packet of {sent} ({lost})", holds=not lost and sent > 0)


def lived(system: System, built: Builds, lab: Lab) -> list[str]:
    """Live it; what was not as it should be."""
    prepare(system, built)
    furnish(system, tracked=False)
    walk = Walk(lab)
    unplug(lab)
    with system.boot(lab.pbx) as walk.system:
        first_installation(walk, built)
        upgrade(walk, built)
    rebooted(walk, system)
    unplug(lab)
    with system.boot(lab.pbx) as walk.system:
        removal(walk)
        return_and_farewell(walk, built)
    return walk.problems


def first_installation(walk: Walk, built: Builds) -> None:
    """Install without a network, and make the first fence."""
    install(walk, built.previous.name)
    walk.look(fenced=False)
    enabled = walk.type("systemctl is-enabled --quiet geofence-restore.service") == 0
    walk.expect("nothing is enabled by the installation", holds=not enabled)
    with under_attack(walk, fenced=False):
        walk.expect("the first fence is up", holds=walk.type(FIRST_FENCE) in {0, 5})
        walk.expect("units are enabled", holds=walk.type(ENABLE) == 0)
    walk.look(fenced=True)
    all_well(walk)
    walk.expect("man pages and completion are there", holds=walk.type(SHIPPED) == 0)
    walk.expect("bash completes a group", holds=walk.type(COMPLETED) == 0)
    walk.expect("all files are as packaged", holds=walk.type("dpkg --verify geofence") == 0)


def install(walk: Walk, name: str) -> None:
    """Install or upgrade a package."""
    code = walk.type(f"{APT} install --yes {PLACE}/{name}")
    walk.expect(f"{name} is installed", holds=code == 0)


def upgrade(walk: Walk, built: Builds) -> None:
    """Upgrade while strangers attack, and see that all goes on."""
    before = walk.ask("geofence history --json")[1]
    with under_attack(walk):
        install(walk, built.current.name)
    after = walk.ask("geofence history --json")[1]
    walk.expect("the same generation is up", holds=before == after and "]" in before)
    units_run(walk)
    walk.look(fenced=True)
    all_well(walk)


def units_run(walk: Walk) -> None:
    """See that units are enabled and timers wait, each once and of the package."""
    for unit in ENABLED:
        said = walk.ask(f"systemctl is-enabled {unit}; systemctl is-active {unit}")[1].split()
        walk.expect(f"{unit}: {' '.join(said)}", holds=said == ["enabled", "active"])
        _, place = walk.ask(f"systemctl show --property FragmentPath --value {unit}")
        walk.expect(
            f"it is {place.strip()}", holds=place.strip().removeprefix("/usr").startswith("/lib/")
        )


def rebooted(walk: Walk, system: System) -> None:
    """Boot under attack."""
    walk.say("rebooting")
    unplug(walk.lab)
    with attacked(walk.lab) as stream, system.boot(walk.lab.pbx) as walk.system:
        walk.expect("no stranger got in at the boot", holds=strangers_in(stream, STRANGERS) == 0)
        walk.look(fenced=True)
        all_well(walk)
        units_run(walk)
        walk.expect("still none", holds=strangers_in(stream, STRANGERS) == 0)


def removal(walk: Walk) -> None:
    """Remove it: unless asked to, the fence stays up."""
    with under_attack(walk):
        walk.expect("it is removed", holds=walk.type(f"{APT} remove --yes geofence") == 0)
    walk.look(fenced=True)
    walk.expect("the command is gone", holds=walk.type("geofence --version") == 127)
    _, units = walk.ask("systemctl list-units --plain --no-legend 'geofence-*'")
    walk.expect(f"no unit is left running {units.strip()}", holds=not units.strip())
    _, left = walk.ask("find /opt/geofence")
    walk.expect("nothing is left in /opt", holds="No such file" in left)
    rules = "ls /etc/geofence/rules.d/05-lists.toml /var/lib/geofence /etc/cron.d/geofence"
    walk.expect("rules, lists and conffiles stay", holds=walk.type(rules) == 0)


def return_and_farewell(walk: Walk, built: Builds) -> None:
    """Install it again, then remove it with the fence, and purge it."""
    with under_attack(walk):
        install(walk, built.current.name)
        walk.type("systemctl start geofence-restore.service geofence-refresh.timer")
        walk.type("systemctl start geofence-names.timer")
    units_run(walk)
    all_well(walk)
    wish = "geofence geofence/take-down boolean true"
    walk.type(f"echo {wish} | debconf-set-selections")
    with_the_fence = walk.type(f"{APT} purge --yes geofence")
    walk.expect("it is purged", holds=with_the_fence == 0)
    walk.look(fenced=False)
    _, left = walk.ask(LEFT_OVER)
    walk.expect(f"nothing is left: {' '.join(left.split())}", holds=not left.strip())
    _, asked = walk.ask("debconf-show geofence; dpkg --list geofence | grep ^..")
    walk.expect("debconf and dpkg know nothing of it", holds="take-down" not in asked)
