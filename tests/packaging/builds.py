"""Two builds of the Debian package, the previous and the next, for one release."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.walk.system import WalkError

_TOP = Path(__file__).parents[2]
_VERSIONS = {"bookworm": "deb12", "trixie": "deb13"}


class Builds(NamedTuple):
    """Files of packages, of which the second is an upgrade of the first."""

    previous: Path
    current: Path


def builds(release: str, directory: Path) -> Builds:
    """Return the packages in a directory; build those that are missing."""
    return Builds(*(built(release, directory, revision) for revision in (1, 2)))


def built(release: str, directory: Path, revision: int) -> Path:
    """Return the package of a revision in a directory; build it if it is missing."""
    pattern = f"geofence_*-{revision}+{_VERSIONS.get(release, release)}_*.deb"
    if not list(directory.glob(pattern)):
        command = ["sh", str(_TOP / "packaging/build.sh"), release, str(directory)]
        environment = {**os.environ, "REVISION": str(revision)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise WalkError(f"the build failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return max(directory.glob(pattern))
