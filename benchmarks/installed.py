"""Geofence as it is installed: in an environment of its own, compiled, without the checkout."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

_CHECKOUT = Path(__file__).parents[1]


_SCRIPT = """#!{python}
import sys
from geofence.__main__ import main
sys.exit(main())
"""
"""The command as pip writes it."""


def installed(scratch: Path) -> Path:
    """Return the command ``geofence`` of a new environment that has this checkout's geofence.

    In a checkout, the hook by which it is found is imported at each start, which takes longer than
    all of Python.
    """
    place = scratch / "installed"
    python, program = place / "bin" / "python", place / "bin" / "geofence"
    if program.exists():
        return program
    command = [sys.executable, "-m", "venv", "--without-pip", str(place)]
    subprocess.run(command, check=True)
    (packages,) = (place / "lib").glob("python*/site-packages")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_CHECKOUT / "geofence", packages / "geofence", ignore=ignored)
    shutil.copytree(_CHECKOUT / "rules.d", place / "share/geofence/rules.d")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + os.linesep)
    compileall.compile_dir(packages / "geofence", quiet=1)
    program.write_text(_SCRIPT.format(python=python))
    program.chmod(0o755)
    return program
