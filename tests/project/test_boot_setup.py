"""From a host without a fence, by 'geofence setup' under a real systemd, to one after a reboot."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.world import japan
from tests.project.test_boot import SCRIPTS, TARGET, TOP, boot, install, real_root

CHECK = """[Unit]
After=network.target geofence-restore.service
[Service]
Type=oneshot
ExecStart=/bin/sh /exchange/{script}
"""
SOURCE = """\
backend = "nftables"
[source.country]
urls = ["http://127.0.0.1:8000/{cc}.json"]
"""
PJSIP = """\
[udp]
type=transport
protocol=udp
bind=0.0.0.0:5066
[abroad]
type=identify
endpoint=abroad
match=45.9.30.0/28
"""


@pytest.fixture(scope="module")
def boots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What the first boot noted, on which the fence was set up, and what the second did."""
    if not real_root():
        pytest.skip("booting systemd needs to be root, and not just of a user namespace")
    scratch = tmp_path_factory.mktemp("first")
    lay_out(scratch, "check-setup.sh")
    prepare(scratch / "seed")
    first = boot(scratch)
    again = tmp_path_factory.mktemp("second")
    shutil.copytree(scratch / "exchange" / "left", again / "seed", symlinks=True)
    lay_out(again, "check-set-up.sh")
    return first, boot(again)


def lay_out(scratch: Path, script: str) -> None:
    """Geofence, and the check that is run."""
    seed = scratch / "seed"
    units = seed / "etc/systemd/system"
    for directory in (scratch / "exchange", units, seed / "usr/local/bin", seed / "opt/geofence"):
        directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(SCRIPTS / script, scratch / "exchange")
    (units / "check.service").write_text(CHECK.format(script=script))
    (units / "check.target").write_text(TARGET)
    (scratch / "enabled").write_text("check\n")  # nothing: it has no [Install]
    install(seed, seed / "opt/geofence/lib")


def prepare(seed: Path) -> None:
    """Units that are not enabled, an Asterisk's configuration, and a source of lists."""
    shutil.copytree(TOP / "cron", seed / "etc/systemd/system", dirs_exist_ok=True)
    for directory in ("etc/asterisk", "etc/geofence/rules.d", "srv/lists"):
        (seed / directory).mkdir(parents=True)
    (seed / "etc/asterisk/pjsip.conf").write_text(PJSIP)
    (seed / "etc/asterisk/rtp.conf").write_text("[general]\nrtpstart=10000\nrtpend=10999\n")
    (seed / "etc/geofence/rules.d/60-source.toml").write_text(SOURCE)
    (seed / "srv/lists/jp.json").write_bytes(japan())


def test_setup_enables_what_restores_and_refreshes(
    boots: tuple[Mapping[str, str], Mapping[str, str]],
) -> None:
    first, _ = boots
    assert first["before"] == "disabled"
    assert first["setup"] == "0"
    assert first["geofence-restore.service"] == "enabled active"
    assert first["geofence-refresh.timer"] == "enabled active"
    assert first["geofence-repair.timer"].startswith("enabled")
    assert first["status"] == "0"
    assert first["again"] == "1"


def test_the_fence_survives_a_reboot(boots: tuple[Mapping[str, str], Mapping[str, str]]) -> None:
    _, second = boots
    assert second["restore"] == "active"
    assert second["timer"] == "active"
    assert int(second["drops"]) > 0
    assert int(second["trunk"]) > 0
    assert second["status"] == "0"
