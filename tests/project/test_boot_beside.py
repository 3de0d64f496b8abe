"""Boots beside firewalls that flush iptables after the fence is there: real ones, enabled."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.machine import machine
from tests.coexistence.machine import DOWNLOADED
from tests.project.test_boot import SCRIPTS, TARGET, TOP, boot, install, real_root

CHECK = """[Unit]
After=geofence-reassert.service geofence-reassert-late.service {peer}.service asterisk.service
[Service]
Type=oneshot
ExecStart=/bin/sh /exchange/check-beside.sh {peer}
"""
# Brings the network up, between network-pre.target and network.target, as Debian's does.
NETWORKING = """[Unit]
DefaultDependencies=no
After=local-fs.target network-pre.target
Before=shutdown.target network.target network-online.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip link set eth0 up
[Install]
WantedBy=multi-user.target network-online.target
"""
# Notes how much of the fence there is when it starts.
ASTERISK = """[Unit]
After=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /exchange/asterisk.sh
[Install]
WantedBy=multi-user.target
"""
ASTERISK_SCRIPT = """\
{ iptables-save -t mangle; nft list table inet geofence; } 2>/dev/null |
    grep -cE -e '-A GEOFENCE|counter.* drop' >/exchange/asterisk
"""
SECONDS = 500
"""For a boot and all that its check does; a test may take 600 (``faulthandler_timeout``)."""
FORCED, CHOSEN = 'backend = "ipset"\n', 'backend = "auto"\n'

SHOREWALL = "usr/share/doc/shorewall/examples/one-interface"
SHOREWALL_RULES = "ACCEPT net $FW udp 5060,10000:20000\nACCEPT net $FW tcp 22,5060:5061\n"
ARNO = """EXT_IF="eth0"
EXT_IF_DHCP_IP=0
OPEN_UDP="5060,10000:20000"
"""


@dataclass(frozen=True, slots=True)
class Fence:
    """What a check saw of the fence."""

    four: int
    """Rules of iptables for IPv4."""
    six: int
    """Rules of iptables for IPv6."""
    table: int
    """Rules of nftables that drop."""
    status: int
    """Exit code of ``geofence status``."""

    @classmethod
    def of(cls, fact: str) -> Fence:
        """Return what a fact says."""
        return cls(*map(int, fact.split()))

    @property
    def whole(self) -> bool:
        by_iptables = min(self.four, self.six) > 10
        return self.status == 0 and by_iptables != (self.table > 0)


@dataclass(frozen=True, slots=True)
class First:
    """A boot with the backend ipset."""

    peer: str
    scratch: Path
    rules: Path
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Boots:
    """The facts of a boot with the backend ipset, and of one with that which ``auto`` took."""

    ipset: Mapping[str, str]
    auto: Mapping[str, str]

    def fence(self, backend: str, when: str) -> Fence:
        return Fence.of(getattr(self, backend)[when])


@pytest.fixture(scope="module", params=["shorewall", "arno-iptables-firewall"])
def first(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> First:
    """A boot beside a firewall."""
    if not real_root():
        pytest.skip("booting systemd needs to be root, and not just of a user namespace")
    peer = request.param
    made = tmp_path_factory.mktemp("made")
    with machine(made, "ipset") as world:
        world.ok("refresh")
        scratch = tmp_path_factory.mktemp("ipset")
        prepare(scratch, peer, world.state, world.rules, FORCED)
    return First(peer, scratch, made / "rules", boot(scratch, SECONDS))


@pytest.fixture(scope="module")
def boots(first: First, tmp_path_factory: pytest.TempPathFactory) -> Boots:
    """Two boots: the second has the state that the first left."""
    second = tmp_path_factory.mktemp("auto")
    prepare(second, first.peer, first.scratch / "exchange/state", first.rules, CHOSEN)
    return Boots(first.facts, boot(second, SECONDS))


def prepare(scratch: Path, peer: str, state: Path, rules: Path, backend: str) -> None:
    """Lay out what is put over the system: geofence, the firewall and its configuration."""
    seed, packages = scratch / "seed", scratch / "packages"
    units, library = seed / "etc/systemd/system", seed / "opt/geofence/lib"
    own = seed / "etc/geofence/rules.d"
    for directory in (
        scratch / "exchange",
        packages,
        units.parent,
        own.parent,
        seed / "usr/local/bin",
        library.parent,
        seed / "var/lib",
    ):
        directory.mkdir(parents=True)
    for package in DOWNLOADED.glob("*.deb"):
        if package.name.startswith((peer, "gawk", "libsigsegv", "libmpfr", "bc_", "kmod_")):
            (packages / package.name).symlink_to(package)
    assert list(packages.glob(f"{peer}_*.deb")), "see docs/coexistence.md"
    shutil.copy(SCRIPTS / "check-beside.sh", scratch / "exchange")
    shutil.copytree(TOP / "cron", units)
    (units / "check.service").write_text(CHECK.format(peer=peer))
    (units / "check.target").write_text(TARGET)
    (units / "asterisk.service").write_text(ASTERISK)
    (units / "networking.service").write_text(NETWORKING)
    (scratch / "exchange/asterisk.sh").write_text(ASTERISK_SCRIPT)
    (scratch / "enabled").write_text(f"geofence-restore networking asterisk {peer}\n")
    install(seed, library)
    shutil.copytree(rules, own)
    (own / "60-backend.toml").write_text(backend)
    shutil.copytree(state, seed / "var/lib/geofence")
    configure(seed, peer)


def configure(seed: Path, peer: str) -> None:
    """Set the firewall up as its documentation begins: one interface, SIP and RTP open."""
    if peer == "shorewall":
        directory = seed / "etc/shorewall"
        directory.mkdir()
        for name, text in {
            "zones": "fw firewall\nnet ipv4\n",
            "interfaces": "?FORMAT 2\nnet eth0\n",
            "policy": "$FW net ACCEPT\nnet all DROP\nall all REJECT\n",
            "rules": "?SECTION NEW\n" + SHOREWALL_RULES,
        }.items():
            (directory / name).write_text(text)
    else:
        directory = seed / "etc/arno-iptables-firewall/conf.d"
        directory.mkdir(parents=True)
        (directory / "50-test.conf").write_text(ARNO)


def test_the_fence_is_up_after_a_boot_on_ipset(first: First) -> None:
    assert first.facts["peer"] == "active"
    assert Fence.of(first.facts["booted"]).four > 10
    assert Fence.of(first.facts["booted"]).whole


def test_the_other_firewall_did_take_it_away_and_the_journal_says_so(boots: Boots) -> None:
    assert boots.ipset["order"] == "after"
    assert int(boots.ipset["said"]) > 0
    assert boots.fence("ipset", "stop").status == 1


def test_asterisk_starts_once_the_fence_is_back(boots: Boots) -> None:
    assert int(boots.ipset["asterisk"]) > 10
    assert int(boots.auto["asterisk"]) > 0


@pytest.mark.parametrize("deed", ["restart", "reload", "start"])
def test_the_fence_is_repaired_after_the_other_firewall_changed(boots: Boots, deed: str) -> None:
    assert boots.fence("ipset", deed).whole


def test_the_timer_repairs_changes_that_no_unit_follows(boots: Boots) -> None:
    assert boots.ipset["timer"] == "active"
    assert boots.fence("ipset", "repair").whole
    # On a busy machine it may come while the change is still being made, and then once more.
    assert boots.ipset["repaired"] in {"1", "2"}


def test_auto_takes_nftables_and_its_fence_is_whole_throughout(boots: Boots) -> None:
    assert boots.ipset["auto"] == "nftables"
    assert boots.auto["said"] == "0"
    for when in ("booted", "restart", "reload", "stop", "start"):
        assert boots.fence("auto", when).table > 0
        assert boots.fence("auto", when).whole


def test_no_unit_has_failed(boots: Boots) -> None:
    assert "geofence" not in boots.ipset["failed"] + boots.auto["failed"]
