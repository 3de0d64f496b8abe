"""``python -m tests.node``: the image of the recipe, assembled and run as the DaemonSet runs it.

The instructions of ``contrib/kubernetes/image/Containerfile`` are carried out on what debootstrap
makes, with the Debian package of this checkout. Then the tests of the DaemonSet run with that
image. Needs root, debootstrap, Debian's mirror and what './bootstrap test' downloads. Some minutes,
most of them for the package:

    python -m tests.node
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.node.helm import HERE
from tests.node.recipe import Image, assembled, write_image
from tests.node.test_daemonset import IMAGE
from tests.packaging.builds import built
from tests.walk.system import WalkError

_TOP = Path(__file__).parents[2]
_BUILT = _TOP / ".venv/package/built"
_BASES = _TOP / ".venv/node"


def main() -> int:
    """Assemble the image, test it, and say how it went."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.node",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--built", type=Path, default=_BUILT, help="where packages are or will be")
    parser.add_argument("--keep", type=Path, help="keep the image's root file system here")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="geofence-image-") as scratch:
        try:
            image = _assembled(Path(scratch), asked.built, asked.keep)
        except WalkError as error:
            sys.stdout.write(f"WRONG: {error}\n")
            return 1
        os.environ[IMAGE] = str(Path(scratch) / "image.json")
        write_image(image, Path(os.environ[IMAGE]))
        arguments = ["-q", "-p", "no:xdist", "--durations=0"]
        return int(pytest.main([*arguments, str(Path(__file__).parent / "test_daemonset.py")]))


def _assembled(scratch: Path, directory: Path, keep: Path | None) -> Image:
    package = built("trixie", directory, 1)
    context = scratch / "dist"
    context.mkdir()
    shutil.copy(package, context)
    total = hashlib.sha256(package.read_bytes()).hexdigest()
    (context / "SHA256SUMS").write_text(f"{total}  {package.name}\n", encoding="utf-8")
    began = time.monotonic()
    image = assembled(HERE / "image/Containerfile", context, _BASES, keep or scratch / "image")
    size = sum(path.lstat().st_size for path in image.root.rglob("*")) >> 20
    spent = time.monotonic() - began
    sys.stdout.write(f"{package.name}: an image of {size} MB, assembled in {spent:.0f} s\n")
    sys.stdout.write(f"runs {[*image.entrypoint, *image.command]}\n")
    return image


if __name__ == "__main__":
    sys.exit(main())
