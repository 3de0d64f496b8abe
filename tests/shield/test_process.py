"""The process of the unit: it sees changes by itself, says what it did, and ends tidily."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from geofence.doctor.findings import FindingKind
from geofence.model.shield import ShieldRecord, ShieldState, Why
from geofence.operations.restore import restore
from geofence.shield.pins import directory
from geofence.state.shield import read_shield
from tests.shield.scene import STRANGERS, Scene

_PATIENCE = 60.0


def command(stage: Scene, *words: str) -> list[str]:
    """The real command on the scene's installation."""
    site = stage.site
    options = {
        "--rules-dir": site.rules_directory,
        "--state-dir": site.state_directory,
        "--bpf-dir": site.bpf_directory,
        "--backend": site.backend,
    }
    return [
        *(sys.executable, "-m", "geofence"),
        *(str(part) for pair in options.items() for part in pair),
        *words,
    ]


@contextmanager
def running(stage: Scene, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process that keeps the shield."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with stage.lab.pbx.entered(), log.open("wb") as out:
        process = subprocess.Popen(command(stage, "shield"), stderr=out, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(stage: Scene, wanted: Callable[[ShieldRecord], bool]) -> ShieldRecord:
    """Wait until the record says so."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        record = read_shield(stage.site.state_directory)
        if record is not None and wanted(record):
            return record
        time.sleep(0.05)
    raise AssertionError(record)


def told(stage: Scene, *words: str) -> str:
    """What the command prints."""
    with stage.lab.pbx.entered():
        done = subprocess.run(command(stage, *words), capture_output=True, text=True, check=False)
    return done.stdout if "--json" in words else done.stdout + done.stderr


def test_the_process_sees_a_flush_and_the_repair_by_itself(
    nft_stage: Scene, tmp_path: Path
) -> None:
    nft_stage.apply()
    log = tmp_path / "log"
    with running(nft_stage, log) as process:
        wait_for(nft_stage, lambda each: each.state is ShieldState.AUDITING)
        report = json.loads(told(nft_stage, "status", "--json"))["shield"]
        assert (report["state"], report["kept"]) == ("auditing", True)
        nft_stage.lab.pbx.run("nft", "flush", "ruleset")
        wait_for(nft_stage, lambda each: each.state is ShieldState.OFF)
        assert nft_stage.knock() == ["pbx"]
        with nft_stage.lab.pbx.entered():
            restore(nft_stage.site)
        wait_for(nft_stage, lambda each: each.state is ShieldState.AUDITING)
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE) == 0
        with nft_stage.lab.pbx.entered():
            assert not directory(nft_stage.site.bpf_directory).exists()
    said = log.read_text()
    assert f"The shield on wan ({nft_stage.how}) is being audited" in said
    assert "The shield is off. There is no fence" in said


def test_commands_tell_of_the_shield(nft_stage: Scene) -> None:
    nft_stage.armed()
    assert f"The shield is armed on wan ({nft_stage.how})." in told(nft_stage, "status")
    why = told(nft_stage, "why", str(next(iter(STRANGERS.values()))))
    assert "before the fence sees them" in why
    report = json.loads(told(nft_stage, "doctor", "--offline", "--json"))
    assert FindingKind.SHIELD_OFF in [each["kind"] for each in report["findings"]]
    assert "1,024" in told(nft_stage, "denied")
    assert "down" in told(nft_stage, "shield", "--down")
    assert not nft_stage.up
    report = json.loads(told(nft_stage, "status", "--json"))["shield"]
    assert (report["state"], report["interfaces"]) == ("off", [])
    record = nft_stage.keeper.record
    assert record.reasons == () or record.reasons[0].why is Why.NO_FENCE
