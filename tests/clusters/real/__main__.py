"""Run the tests that hold for any API server against a real one."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.clusters.conftest import KUBECONFIG
from tests.clusters.real.server import running

_TESTS = [
    str(Path(__file__).parents[1] / name)
    for name in ("test_cycle.py", "test_facts.py", "real/cilium_releases.py")
]


def main() -> int:
    """Start the server, run the tests, stop it; the exit code is pytest's."""
    begun = time.monotonic()
    with TemporaryDirectory() as directory, running(Path(directory)) as kubeconfig:
        sys.stdout.write(f"The API server is ready after {time.monotonic() - begun:.1f} s.\n")
        os.environ[KUBECONFIG] = str(kubeconfig)
        return int(pytest.main(["-q", "-p", "no:cacheprovider", *_TESTS, *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
