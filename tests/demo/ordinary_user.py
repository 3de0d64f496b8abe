"""Run a program as somebody without privileges, wherever Python and the checkout are kept."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NOBODY = 65_534
_ASIDE = "/mnt"
"""A directory that every Linux has and no program here needs (Filesystem Hierarchy Standard)."""
CHECKOUT = Path(__file__).parents[2]


def run_as_ordinary_user(*command: str) -> subprocess.CompletedProcess[str]:
    """Run it without a single capability, and with another user's id if we are root."""
    if not is_real_root():  # tests run by an ordinary user are root of a user namespace only
        return _run(command)
    within = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
    script = "\n".join(("set -e", *_open_up(), "exec " + shlex.join(within)))
    return _run(["unshare", "--mount", "sh", "-c", script])


def _run(command: list[str] | tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)


def is_real_root() -> bool:
    """Whether these tests are run by root, not by an ordinary user in a namespace of their own."""
    first, mapped_to, count = map(int, Path("/proc/self/uid_map").read_text("ascii").split())
    return (first, mapped_to) == (0, 0) and count > 1


def _open_up() -> Iterator[str]:
    """Shell lines that make what the program needs reachable, in a mount namespace of its own.

    A directory above it that is closed to others, such as ``/root``, is covered by an empty one,
    into which the needed directories are moved.
    """
    yield shlex.join(["mount", "-t", "tmpfs", "tmpfs", _ASIDE])
    needed = [path.resolve() for path in (Path(sys.base_prefix), Path(sys.prefix), CHECKOUT)]
    for closed in sorted({top for path in needed if (top := _closed_above(path))}):
        below = [path for path in needed if path.is_relative_to(closed)]
        for number, path in enumerate(below):
            aside = f"{_ASIDE}/{number}"
            yield shlex.join(["mkdir", "-p", aside])
            yield shlex.join(["mount", "--bind", str(path), aside])
        yield shlex.join(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(closed)])
        for number, path in enumerate(below):
            yield shlex.join(["mkdir", "-p", str(path)])
            yield shlex.join(["mount", "--move", f"{_ASIDE}/{number}", str(path)])
    yield shlex.join(["cd", str(CHECKOUT)])


def _closed_above(path: Path) -> Path | None:
    """The topmost directory above, or the path itself, that others may not enter."""
    for directory in (*reversed(path.parents), path):
        if not directory.stat().st_mode & 0o001:
            return directory
    return None
