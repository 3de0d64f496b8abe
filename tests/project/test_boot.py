"""The units under a real systemd: this machine's own, booted in namespaces of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from geofence.merge import merge
from geofence.model.generation import Generation
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.model.ruleset import Ruleset
from geofence.policy import load_policy
from geofence.state.generations import GenerationStore

TOP = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "boot"
SECONDS = 300

# As Debian's, which loads what iptables-save wrote: no rule at all if it names a set that is not
# there, and its mangle table replaces the one in the kernel.
LOADER = """[Unit]
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=local-fs.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=iptables-restore /etc/iptables/rules.v4
[Install]
WantedBy=multi-user.target
"""
SAVED = """*mangle
-A PREROUTING -p udp --dport 9 -j ACCEPT
COMMIT
*filter
-A INPUT -m set --match-set geofence-allow4 src -j ACCEPT
COMMIT
"""
CHECK = """[Unit]
After=geofence-reassert.service network-pre.target nftables.service
[Service]
Type=oneshot
ExecStart=/bin/sh /exchange/check.sh
"""
HOOK = """[notify]
command = ["/bin/sh", "-c", "cat >/var/lib/geofence/told"]
"""
TARGET = """[Unit]
Requires=multi-user.target
Wants=check.service network-pre.target
AllowIsolate=yes
"""

_UNNEEDED = ("ansible*", "babel", "kubernetes*", "mypy*", "*mypyc*", "pip", "pjsua2", "selenium")
"""What is large in the environment, and no unit imports."""

CAP_DAC_READ_SEARCH, CAP_NET_ADMIN, CAP_NET_RAW = 1 << 2, 1 << 12, 1 << 13
"""``linux/capability.h``; the first reads Asterisk's configuration, which is not root's."""


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a boot, and the deeds of other firewalls' units, left of the fence."""
    if not real_root():
        pytest.skip("booting systemd needs to be root, and not just of a user namespace")
    scratch = tmp_path_factory.mktemp("boot")
    prepare(scratch)
    return boot(scratch)


def boot(scratch: Path, seconds: int = SECONDS) -> dict[str, str]:
    """Boot what was laid out, and return the facts that its check noted."""
    command = ["unshare", "--mount", "sh", str(SCRIPTS / "boot.sh"), str(scratch), str(seconds)]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        lines = (scratch / "exchange" / "facts").read_text().splitlines()
    except FileNotFoundError:
        raise AssertionError(f"systemd did not come up:\n{done.stdout}\n{done.stderr}") from None
    assert time.monotonic() - began < seconds, f"systemd did not end in time; it noted {lines}"
    return dict(line.split("=", 1) for line in lines)


def real_root() -> bool:
    """Whether this is root of the machine, not of a user namespace that it made."""
    whole = Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
    return whole and os.geteuid() == 0


def prepare(scratch: Path) -> None:
    """Lay out what is put over the system, and what is exchanged with it."""
    exchange, seed = scratch / "exchange", scratch / "seed"
    units, library = seed / "etc/systemd/system", seed / "opt/geofence/lib"
    for directory in (
        exchange,
        units,
        seed / "etc/iptables",
        seed / "etc/geofence/rules.d",
        seed / "usr/local/bin",
        library.parent,
    ):
        directory.mkdir(parents=True)
    (scratch / "enabled").write_text("geofence-restore nftables netfilter-persistent\n")
    shutil.copy(SCRIPTS / "check.sh", exchange)
    shutil.copytree(TOP / "cron", units, dirs_exist_ok=True)
    (units / "netfilter-persistent.service").write_text(LOADER)
    (units / "check.service").write_text(CHECK)
    (units / "check.target").write_text(TARGET)
    (seed / "etc/iptables/rules.v4").write_text(SAVED)
    (seed / "etc/geofence/rules.d/50-hook.toml").write_text(HOOK)
    install(seed, library)
    record(seed / "var/lib/geofence")


def install(seed: Path, library: Path) -> None:
    """Put geofence where its units expect it; they see no home and no temporary directories."""
    unneeded = shutil.ignore_patterns(*_UNNEEDED)
    shutil.copytree(sysconfig.get_path("purelib"), library, symlinks=True, ignore=unneeded)
    shutil.copytree(TOP / "geofence", library / "geofence", dirs_exist_ok=True)
    shutil.copytree(TOP / "rules.d", library / "rules.d")
    program = seed / "usr/local/bin/geofence"
    program.write_text(
        '#!/bin/sh\nPYTHONPATH=/opt/geofence/lib exec /usr/bin/python3 -m geofence "$@"\n'
    )
    program.chmod(0o755)


def record(state: Path) -> Ruleset:
    """The generation that a refresh would have left."""
    japan = AddressSpace.of([Prefix(Family.IPV4, 11 << 24, 12)])
    ruleset = merge(load_policy((TOP / "rules.d",)), {ListId(ListKind.COUNTRY, "JP"): japan})
    state.mkdir(mode=0o700, parents=True)
    GenerationStore(state).record(Generation(1, datetime.now(UTC), "test", "ipset", ruleset))
    return ruleset


def test_the_fence_is_there_after_a_boot(facts: dict[str, str]) -> None:
    assert int(facts["booted"]) > 10


def test_sets_exist_when_saved_rules_are_loaded(facts: dict[str, str]) -> None:
    order = facts["order"].split()
    assert order[0] == "geofence-restore"
    assert order[-1] == "geofence-reassert"
    assert facts["loaded"] == "active"
    assert facts["without sets"] == "failed"


def test_the_fence_is_whole_before_the_network(facts: dict[str, str]) -> None:
    assert facts["network"] == "after"


@pytest.mark.parametrize(
    "deed",
    [
        "restart nftables",
        "reload nftables",
        "restart netfilter-persistent",
        "start nftables",
        "restart nftables often",
    ],
)
def test_other_firewalls_are_followed(facts: dict[str, str], deed: str) -> None:
    assert facts[deed] == facts["booted"]


def test_stopping_nftables_did_break_the_fence(facts: dict[str, str]) -> None:
    assert facts["stop nftables"] == "0"


def test_the_fence_is_restored_from_a_read_only_disk(facts: dict[str, str]) -> None:
    assert facts["read-only"] == facts["booted"]


def test_the_daemon_may_configure_the_network_ask_ipset_and_read(facts: dict[str, str]) -> None:
    state, capabilities = facts["two capabilities"].split()
    assert state == "active"
    assert int(capabilities, 16) == CAP_NET_ADMIN | CAP_NET_RAW | CAP_DAC_READ_SEARCH


def test_the_hook_runs_within_the_sandbox_of_the_unit(facts: dict[str, str]) -> None:
    """There is no network, so a refresh fails."""
    told = json.loads(facts["told"])
    assert (told["event"], told["command"]) == ("failed", "refresh")


def test_a_shell_moves_the_fence_to_where_the_units_reach_it(facts: dict[str, str]) -> None:
    assert facts["moved by a shell"] == "0"
    assert int(facts["moved"]) > 10


def test_without_ipset_one_capability_less_is_enough(facts: dict[str, str]) -> None:
    """The generation restored was one of ipset, which the units may no longer use."""
    state, capabilities = facts["one capability"].split()
    assert state == "active"
    assert int(capabilities, 16) == CAP_NET_ADMIN | CAP_DAC_READ_SEARCH
    assert int(facts["nftables"]) > 10
    assert facts["without ipset"] == "0"
