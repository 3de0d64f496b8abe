"""Fixed programs run to their end, for runs that have no time to lose.

``subprocess`` takes as long to import as a program to run, and as long again to wait for each.
"""

from __future__ import annotations

import os
import select
from collections.abc import Mapping, Sequence

from geofence.lean import SIGKILL, SIGPIPE, SIGXFSZ
from geofence.model.frozen import NamedTuple

_LONGEST = 60.0
"""Seconds that a program may take."""
_DEFAULTS = (SIGPIPE, SIGXFSZ)
"""Signals that Python ignores, and programs are not used to have ignored."""


class Ended(NamedTuple):
    """How a program ended, and what it wrote."""

    code: int
    """Its exit code; negative for the number of a signal that ended it."""
    said: str
    complained: str
    """What it wrote to its standard error."""


def run_program(command: list[str], given: str, environment: Mapping[str, str]) -> Ended:
    """Run a program and wait for its end.

    What it reads and writes is in files in memory, so that no pipe fills. Texts of others need not
    be UTF-8, nor end where a character does.

    Args:
        command: the absolute path of the program, and its arguments.
        given: what it reads on standard input.
        environment: all of its environment.

    Raises:
        OSError: it cannot be run, or did not end in time.
    """
    files: list[int] = []
    try:
        files += (os.memfd_create(f"std{name}") for name in ("in", "out", "err"))
        os.write(files[0], given.encode(errors="surrogateescape"))
        os.lseek(files[0], 0, os.SEEK_SET)
        code = _code_of(command, files, environment)
        return Ended(code, *map(_content, files[1:]))
    finally:
        for file in files:
            os.close(file)


def _code_of(command: list[str], files: Sequence[int], environment: Mapping[str, str]) -> int:
    ends = [(os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate(files)]
    child = os.posix_spawn(command[0], command, environment, file_actions=ends, setsigdef=_DEFAULTS)
    try:
        _await_end(child)
    except BaseException:
        os.kill(child, SIGKILL)
        os.waitpid(child, 0)
        raise
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _await_end(child: int) -> None:
    """Wait for the end of a child; without a limit where the kernel lends no handle to it."""
    try:
        handle = os.pidfd_open(child)
    except OSError:
        return
    try:
        waiting = select.poll()
        waiting.register(handle, select.POLLIN)
        if not waiting.poll(round(_LONGEST * 1000)):
            raise TimeoutError(f"it did not end within {_LONGEST:.0f} s")
    finally:
        os.close(handle)


def _content(file: int) -> str:
    size = os.fstat(file).st_size
    return os.pread(file, size, 0).decode(errors="surrogateescape")
