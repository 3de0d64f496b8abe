"""Where BPF may be used: not in a user namespace, and not everywhere as root."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

import pytest

from geofence.shield import loading
from geofence.shield.loading import KernelSide, ShieldError


@cache
def side() -> KernelSide:
    """What programs need of this kernel; the test is skipped where it may not be used.

    In CI that is a failure: tests run as root there.
    """
    if shutil.which("modprobe"):  # where it is a module, the first fence would load it
        subprocess.run(["modprobe", "--quiet", "nf_conntrack"], check=False)
    try:
        return loading.kernel_side()
    except ShieldError as error:
        told = f"BPF cannot be used here: {error}"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
