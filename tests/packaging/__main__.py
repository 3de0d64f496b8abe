"""``python -m tests.packaging``: the Debian package on a Debian as debootstrap makes it.

The package is built twice, as the previous and the next build, then installed, upgraded, booted by
a real systemd, removed, installed again and purged, while strangers send SIP all the time. Then the
same host changes from './bootstrap install' to the package and back. Another host is managed by the
Ansible role. A third has a shield, whose unit is upgraded, killed, stopped, booted and removed.
Needs root, debootstrap and Debian's mirror; five minutes a release on two idle cores, most of them
for the builds:

    python -m tests.packaging --release bookworm
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from geofence.lab.network import Lab
from tests.packaging.builds import Builds, builds
from tests.packaging.changing import changed
from tests.packaging.lifetime import lived
from tests.packaging.managed import managed
from tests.packaging.shielded import shielded
from tests.walk.system import System, WalkError, debootstrapped

_BUILT = Path(__file__).parents[2] / ".venv/package/built"
_WALKS = {"lifetime": lived, "changing": changed, "managed": managed, "shielded": shielded}


def main() -> int:
    """Walk, and say how it went."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.packaging",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--release", default="bookworm", help="bookworm or trixie")
    parser.add_argument("--built", type=Path, default=_BUILT, help="where packages are or will be")
    parser.add_argument("--only", choices=list(_WALKS), help="one of the walks")
    asked = parser.parse_args()
    problems: list[str] = []
    for name, walk in _WALKS.items():
        if asked.only in {None, name}:
            sys.stdout.write(f"{asked.release}: {name}\n")
            problems += _walked(walk, asked.release, asked.built)
    for problem in problems:
        sys.stdout.write(f"WRONG: {problem}\n")
    sys.stdout.write(f"{asked.release}: {'failed' if problems else 'all is well'}\n")
    return 1 if problems else 0


def _walked(
    walk: Callable[[System, Builds, Lab], list[str]], release: str, built: Path
) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="geofence-package-") as scratch, Lab() as lab:
        try:
            packages = builds(release, built)
            return walk(System(debootstrapped(release), Path(scratch)), packages, lab)
        except WalkError as error:
            return [str(error)]


if __name__ == "__main__":
    sys.exit(main())
