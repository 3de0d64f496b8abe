"""A run of the tests ends, whatever a failed test leaves behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]
_LEAVING = """\
import threading, time

def forever():
    time.sleep(3600)

def test_it():
    threading.Thread(target=forever).start()
    assert False
"""


def test_a_thread_that_a_failed_test_left_is_named_and_does_not_hang_the_run(
    tmp_path: Path,
) -> None:
    test = tmp_path / "test_leaving.py"
    test.write_text(_LEAVING)
    options = ("-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path))
    limit = ("-o", "faulthandler_timeout=5")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *limit, str(test)],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "1 failed" in done.stdout
    assert "in forever" in done.stderr
