"""A boot at which geofence cannot run: nothing comes up open."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.machine import machine
from tests.project.test_boot import SCRIPTS, TARGET, TOP, boot, install, real_root

CHECK = """[Unit]
After=network.target asterisk.service
[Service]
Type=oneshot
ExecStart=/bin/sh /exchange/check-closed.sh
"""
# Given up after three attempts, where the real unit takes two minutes; not before asterisk starts.
SOONER = """[Unit]
StartLimitBurst=3
[Service]
RestartSec=1
"""
ASTERISK = """[Unit]
After=network.target
[Service]
Type=exec
ExecStart=/bin/sh -c 'nft list table inet geofence | grep -c " drop" >/exchange/asterisk; \
    exec sleep infinity'
Restart=on-failure
RestartSec=1
StartLimitIntervalSec=0
[Install]
WantedBy=multi-user.target
"""
BROKEN = "#!/bin/sh\nnft add table inet geofence\necho 'ModuleNotFoundError' >&2\nexit 1\n"
"""Ended before a rule was made, as a run that is killed between its first two transactions."""


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What a boot left, with the state of a real refresh and a program that does not start."""
    if not real_root():
        pytest.skip("booting systemd needs to be root, and not just of a user namespace")
    scratch = tmp_path_factory.mktemp("closed")
    with machine(tmp_path_factory.mktemp("made"), "nftables") as world:
        world.ok("refresh")
        prepare(scratch, world.state, world.rules)
    return boot(scratch)


def prepare(scratch: Path, state: Path, rules: Path) -> None:
    seed = scratch / "seed"
    units, library = seed / "etc/systemd/system", seed / "opt/geofence/lib"
    program, own = seed / "usr/local/bin/geofence", seed / "etc/geofence/rules.d"
    for directory in (
        scratch / "exchange",
        units.parent,
        own.parent,
        program.parent,
        library.parent,
        seed / "var/lib",
    ):
        directory.mkdir(parents=True)
    shutil.copy(SCRIPTS / "check-closed.sh", scratch / "exchange")
    shutil.copytree(TOP / "cron", units)
    (units / "geofence-restore.service.d").mkdir()
    (units / "geofence-restore.service.d/sooner.conf").write_text(SOONER)
    (units / "asterisk.service").write_text(ASTERISK)
    (units / "check.service").write_text(CHECK)
    (units / "check.target").write_text(TARGET)
    (scratch / "enabled").write_text("geofence-restore asterisk\n")
    install(seed, library)
    program.rename(program.with_name("geofence.whole"))
    program.write_text(BROKEN)
    program.chmod(0o755)
    shutil.copytree(rules, own)
    shutil.copytree(state, seed / "var/lib/geofence")


def test_a_closed_fence_is_up_where_restore_fails(facts: Mapping[str, str]) -> None:
    assert facts["restore"] != "active"
    assert facts["said"] == "1"
    assert int(facts["drops"]) > 0


def test_asterisk_starts_behind_the_closed_fence(facts: Mapping[str, str]) -> None:
    assert facts["asterisk"] == "active"
    assert int(facts["at_start"]) > 0


def test_asterisk_needs_a_fence_to_start(facts: Mapping[str, str]) -> None:
    state, at_start = facts["open"].split()
    assert state != "active"
    assert at_start == "never"


def test_once_mended_the_fence_takes_the_place_of_the_closed_one(facts: Mapping[str, str]) -> None:
    assert facts["mended"] == "active"
    assert facts["chains"] == "0"
    assert facts["status"] == "0"
    assert facts["then"] == "active"


def test_fence_and_calls_survive_a_failed_restore(
    facts: Mapping[str, str],
) -> None:
    assert facts["kept"] == "whole"
    assert facts["asterisk_later"] == "active"
