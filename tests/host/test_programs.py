"""Programs that are run to their end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from geofence.host import programs
from geofence.host.programs import Ended, run_program

SHELL = "/bin/sh"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def said(script: str, given: str = "") -> Ended:
    return run_program([SHELL, "-c", script], given, ENVIRONMENT)


def test_output_errors_and_exit_code_are_told_apart() -> None:
    assert said("echo out; echo err >&2; exit 3") == (3, "out\n", "err\n")


def test_no_pipe_fills_however_much_is_read_and_written() -> None:
    much = "x" * 79 + "\n"
    done = said("cat; cat >&2 </dev/null; yes | head -c 3000000 >&2", much * 50_000)
    assert done.code == 0
    assert done.said == much * 50_000
    assert len(done.complained) == 3_000_000


def test_bytes_that_are_no_text_come_and_go_as_they_are() -> None:
    odd = b"\xff\r\n\x80".decode(errors="surrogateescape")
    assert said("cat", odd).said == odd


def test_a_program_has_the_environment_it_is_given_and_the_usual_signals() -> None:
    assert said("echo $HOME").said == "\n"
    ignored = said("grep SigIgn /proc/self/status").said.split()[1]
    assert not int(ignored, 16) >> (signal.SIGPIPE - 1) & 1


def test_a_program_that_a_signal_ends_says_which() -> None:
    assert said("kill -9 $$").code == -signal.SIGKILL


def test_a_program_that_is_missing_cannot_be_run() -> None:
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 - numbers, not paths
    with pytest.raises(FileNotFoundError):
        run_program(["/missing"], "", ENVIRONMENT)
    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208 - numbers, not paths


def test_a_program_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "_LONGEST", 0.2)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        said(f"echo $$ >{tmp_path}/number; exec sleep 30")
    assert time.monotonic() - began < 10
    number = (tmp_path / "number").read_text().strip()
    assert not Path("/proc", number).exists()
