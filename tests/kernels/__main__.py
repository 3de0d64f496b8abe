"""``python -m tests.kernels``: the tests on another kernel, in an emulated machine.

The machine's disk is this one's, as it is, with everything written to it kept in memory and thrown
away. It reads the files of this checkout as it goes, so change none meanwhile. It is ten to twenty
times slower, so name the tests that matter:

    python -m tests.kernels -- tests/behaviour tests/backends
    python -m tests.kernels --release trixie -- tests/shield
    python -m tests.kernels --release trixie --module tests.shield -- packets --packets 20000
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.kernels.kernel import Kernel, fetched, index
from tests.kernels.machine import Machine, missing

_NEEDED = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "modprobe": "kmod",
    "xz": "xz-utils",
    "dpkg-deb": "dpkg",
    "apt-get": "apt",
}
_SLOWER = ("-p", "no:cacheprovider", "-o", "faulthandler_timeout=3000")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.kernels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--package",
        default="linux-image-amd64",
        help="Debian's package of the kernel (default: %(default)s, the distribution's own)",
    )
    parser.add_argument("--release", help="of Debian, such as trixie (default: as apt is set up)")
    parser.add_argument(
        "--processors",
        type=int,
        default=1,
        help="of the machine (default: %(default)s); for more, run more machines side by side",
    )
    parser.add_argument("--module", default="pytest", help="what is run (default: %(default)s)")
    parser.add_argument("arguments", nargs="*", help="of that module")
    return parser.parse_args()


def main() -> int:
    """Run a module on that kernel; its exit code."""
    asked = _arguments()
    lacking = missing(_NEEDED)
    if lacking:
        sys.exit(f"Needs {', '.join(lacking)}: apt install {' '.join(lacking)}")
    with tempfile.TemporaryDirectory(prefix="geofence-kernel-") as scratch:
        apt = index(asked.release, Path(scratch)) if asked.release else os.environ
        kernel: Kernel = fetched(asked.package, Path(scratch), apt)
        sys.stdout.write(f"Linux {kernel.release}, {kernel.package}\n")
        sys.stdout.flush()
        machine = Machine(kernel, Path(scratch), asked.processors)
        slower = _SLOWER if asked.module == "pytest" else ()
        return machine.run([sys.executable, "-m", asked.module, *slower, *asked.arguments])


if __name__ == "__main__":
    sys.exit(main())
