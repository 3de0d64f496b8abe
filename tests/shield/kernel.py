"""Where BPF may be used: not in a user namespace, and not everywhere as root."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

import pytest

from geofence.shield import loading
from geofence.shield.attachment import has_tcx
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


def by_tcx() -> bool:
    """Whether a test that asks for tcx gets it; cls_bpf takes its place on kernels before 6.6.

    In CI that is a failure, since nothing would show tcx there.
    """
    found = has_tcx()
    if not found and os.environ.get("CI"):
        pytest.fail(f"Linux {os.uname().release} has no tcx: run the tests on 6.6 or newer")
    return found
