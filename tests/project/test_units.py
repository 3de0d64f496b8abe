from __future__ import annotations

import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

CRON = Path(__file__).parents[2] / "cron"
SERVICES = sorted(CRON.glob("geofence-*.service"))
UNITS = sorted(path.name for path in CRON.glob("geofence-*") if path.is_file())
FOR_IPSET = "geofence-.service.d/ipset.conf"
SANDBOX = "geofence-.service.d/10-sandbox.conf"
SYSTEM_UNITS = Path("/usr/lib/systemd/system")

# Units of others with what orders them, as Debian 12 ships them.
OTHERS = {
    "netfilter-persistent": "DefaultDependencies=no\nWants=network-pre.target local-fs.target\n"
    "Before=network-pre.target shutdown.target\nAfter=local-fs.target",
    "nftables": "DefaultDependencies=no\nWants=network-pre.target\n"
    "Before=network-pre.target shutdown.target",
    "ufw": "DefaultDependencies=no\nBefore=network-pre.target\nWants=network-pre.target",
    "firewalld": "Before=network-pre.target\nWants=network-pre.target\nAfter=dbus.service",
    "fail2ban": "After=network.target iptables.service firewalld.service ip6tables.service "
    "ipset.service nftables.service\nPartOf=iptables.service firewalld.service",
    "docker": "After=network-online.target firewalld.service\nWants=network-online.target",
    "asterisk": "After=network.target",
    "shorewall": "Wants=network-online.target\nAfter=network-online.target\n"
    "Conflicts=iptables.service firewalld.service",
    "arno-iptables-firewall": "DefaultDependencies=no\nConflicts=shutdown.target\n"
    "Before=shutdown.target\nAfter=local-fs.target network-online.target\n"
    "Requires=local-fs.target network-online.target",
    "ferm": "RequiresMountsFor=/var/cache/\nWants=network-pre.target\nDefaultDependencies=no\n"
    "Before=network-pre.target shutdown.target\nConflicts=shutdown.target",
    "firehol": "DefaultDependencies=no\nBefore=network-pre.target\nWants=network-pre.target\n"
    "After=systemd-modules-load.service local-fs.target\nConflicts=shutdown.target",
    "csf": "After=network.target",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system's directories with geofence's units, those of others, and a geofence to start."""
    units = tmp_path / "etc/systemd/system"
    shutil.copytree(SYSTEM_UNITS, tmp_path / "usr/lib/systemd/system", symlinks=True)
    shutil.copytree(CRON, units)
    for name, ordering in OTHERS.items():
        text = f"[Unit]\n{ordering}\n[Service]\nType=oneshot\nExecStart=/usr/local/bin/geofence\n"
        (units / f"{name}.service").write_text(text)
    for path in ("usr/local/bin/geofence", "bin/sh"):
        program = tmp_path / path
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    return tmp_path


def verify(root: Path, *units: str) -> str:
    """What systemd has to say about units, and those they pull in, as far as it is about ours."""
    command = ["systemd-analyze", "verify", "--man=no", f"--root={root}", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    about = [line for line in said.splitlines() if "geofence" in line or "cycle" in line]
    return "\n".join(about) + f"\nexit {done.returncode}" * bool(done.returncode)


def settings(path: Path) -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as configparser documents
    parser.read_string(path.read_text())
    return parser


def words(name: str, key: str) -> set[str]:
    """All words of a key that may be there several times."""
    lines = (CRON / name).read_text().splitlines()
    return {
        word for line in lines if line.startswith(f"{key}=") for word in line.split("=")[1].split()
    }


def test_systemd_has_nothing_to_object_to(root: Path) -> None:
    assert verify(root, *UNITS) == ""


@pytest.mark.parametrize("name", ["geofence-restore.service", FOR_IPSET, SANDBOX])
def test_systemd_would_object(root: Path, name: str) -> None:
    with (root / "etc/systemd/system" / name).open("a") as unit:
        unit.write("Foo=bar\n")
    assert "Unknown key" in verify(root, "geofence-restore.service")


@pytest.mark.parametrize("peer", OTHERS)
def test_a_boot_with_others_has_no_ordering_cycle(root: Path, peer: str) -> None:
    wants = root / "etc/systemd/system/multi-user.target.wants"
    early = root / "etc/systemd/system/sysinit.target.wants"
    for directory, units in ((wants, [f"{peer}.service", *UNITS]), (early, UNITS[:0])):
        directory.mkdir()
        for unit in units:
            (directory / unit).symlink_to(f"../{unit}")
    (early / "geofence-restore.service").symlink_to("../geofence-restore.service")
    (wants / "geofence-restore.service").unlink()
    assert verify(root, "multi-user.target") == ""


def test_sets_exist_before_saved_rules_are_loaded_and_are_looked_at_after() -> None:
    loaders = {
        f"{name}.service" for name in ("netfilter-persistent", "nftables", "ufw", "firewalld")
    }
    assert loaders <= words("geofence-restore.service", "Before")
    assert loaders <= words("geofence-reassert.service", "After")
    assert loaders <= words("geofence-reassert.service", "PartOf")
    assert loaders <= words("geofence-reassert.service", "ReloadPropagatedFrom")
    for unit in ("geofence-restore.service", "geofence-reassert.service"):
        assert {"network-pre.target", "asterisk.service", "docker.service"} <= words(unit, "Before")


def test_firewalls_that_start_with_the_network_are_followed_before_asterisk_starts() -> None:
    unit = "geofence-reassert-late.service"
    late = {f"{name}.service" for name in ("shorewall", "arno-iptables-firewall", "csf", "lfd")}
    for key in ("After", "PartOf", "ReloadPropagatedFrom", "WantedBy"):
        assert late <= words(unit, key)
    assert {"asterisk.service", "docker.service"} <= words(unit, "Before")


def test_the_drop_in_for_asterisk_is_one_that_systemd_takes(root: Path) -> None:
    said = verify(root, "asterisk.service")
    assert said == ""
    with (root / "etc/systemd/system/asterisk.service.d/geofence.conf").open("a") as unit:
        unit.write("Foo=bar\n")
    command = ["systemd-analyze", "verify", "--man=no", f"--root={root}", "asterisk.service"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Unknown key" in done.stderr


def test_restoring_needs_no_writable_disk() -> None:
    for unit in (
        "geofence-restore.service",
        "geofence-reassert.service",
        "geofence-reassert-late.service",
        "geofence-repair.service",
    ):
        assert "StateDirectory" not in settings(CRON / unit)["Service"]


def test_all_services_are_hardened_by_the_one_drop_in() -> None:
    sandbox = settings(CRON / SANDBOX)
    assert sandbox.sections() == ["Service"]
    assert sandbox["Service"]["ProtectSystem"] == "strict"
    assert sandbox["Service"]["PrivateTmp"] == "yes"
    assert sandbox["Service"]["CapabilityBoundingSet"] == "CAP_NET_ADMIN"
    shared = set(sandbox["Service"]) - {"ReadWritePaths", "CapabilityBoundingSet"}  # they add up
    assert not [path.name for path in SERVICES if shared & set(settings(path)["Service"])]


def test_ipset_takes_one_capability_more() -> None:
    added = settings(CRON / FOR_IPSET)
    assert added.sections() == ["Service"]
    assert dict(added["Service"]) == {"CapabilityBoundingSet": "CAP_NET_RAW"}


def exposure(root: Path, unit: str) -> subprocess.CompletedProcess[bytes]:
    """What systemd makes of a unit's sandbox."""
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=25", f"--root={root}"]
    return subprocess.run([*command, unit], capture_output=True, check=False)


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_exposure_is_low_thanks_to_the_drop_in(root: Path, path: Path) -> None:
    (root / "etc/systemd/system" / FOR_IPSET).unlink()
    assert exposure(root, path.name).returncode == 0
    (root / "etc/systemd/system" / SANDBOX).unlink()
    assert exposure(root, path.name).returncode != 0


def test_the_timer_is_daily_randomised_and_makes_up_for_missed_runs() -> None:
    timer = settings(CRON / "geofence-refresh.timer")["Timer"]
    assert timer["Persistent"] == "true"
    assert timer["RandomizedDelaySec"] == "3h"
    command = ["systemd-analyze", "calendar", "--iterations=3", timer["OnCalendar"]]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.count("02:00:00") >= 3


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_only_units_that_read_asterisk_s_configuration_may_read_it(path: Path) -> None:
    reads = path.stem in ("geofence-refresh", "geofence-daemon")
    assert ("CAP_DAC_READ_SEARCH" in words(path.name, "CapabilityBoundingSet")) is reads
