"""Changes of Asterisk's configuration on disk, for the daemon.

The kernel's notifications (inotify) only wake it up: they are lost where a directory is replaced,
or another container writes to a file system of layers. What has changed is told by the state of all
files, which is read on each notification, and from time to time.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyroute2.inotify.inotify_fd import Inotify

MOST_DIRECTORIES = 200
"""Directories that are watched."""
_MOST_FILES = 5_000
_SETTLE = 1.0
"""Seconds without a change after which a configuration is taken as written: panels write dozens of
files one after the other."""
_LONGEST = 30.0
"""Seconds after which it is read even though it goes on changing."""
_ANY_CHANGE = 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
"""``IN_MODIFY``, ``IN_ATTRIB``, ``IN_CLOSE_WRITE``, ``IN_MOVED_FROM``, ``IN_MOVED_TO``,
``IN_CREATE``, ``IN_DELETE``, ``IN_DELETE_SELF`` and ``IN_MOVE_SELF`` of linux/inotify.h."""
_READ = 1 << 16
_MILLISECONDS = 1000
_PAUSE = 0.2
"""Seconds between two looks at all files, however often one of them changes."""

FilesState = dict[str, tuple[int, ...] | None]
"""Device, number, size and times of each file and directory; None for one that is not there."""


def files_state(directory: Path, files: Iterable[str] = ()) -> FilesState:
    """Return the state of a configuration, by which changes are recognised.

    Args:
        directory: the configuration.
        files: those that were read, relative to it; they may be elsewhere, by a link.
    """
    paths = [*map(str, _directories(directory)), *(str(directory / each) for each in files)]
    return {path: _state(path) for path in islice(dict.fromkeys(paths), _MOST_FILES)}


def _state(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - of thousands
    except OSError:
        return None
    times = (found.st_mtime_ns, found.st_ctime_ns)
    return (found.st_dev, found.st_ino, found.st_size, *times)


def _directories(directory: Path) -> Iterator[Path]:
    """Yield the directory and those below it, links not followed."""
    walk = os.walk(directory)
    return (Path(place) for place, _, _ in islice(walk, MOST_DIRECTORIES))


@contextmanager
def _woken(directory: Path, files: Iterable[str]) -> Iterator[int | None]:
    """Give a descriptor that is readable after a change; None where the kernel has none left."""
    try:
        kernel = _inotify()
    except (ImportError, AttributeError, OSError, MemoryError):
        yield None
        return
    places = [*_directories(directory), directory.parent]
    real = (os.path.realpath(directory / each) for each in files)
    places += [Path(each).parent for each in islice(real, _MOST_FILES)]
    try:
        for place in islice(dict.fromkeys(map(str, places)), MOST_DIRECTORIES):
            with suppress(OSError):  # it is gone meanwhile
                kernel.register_path(place, _ANY_CHANGE)
        yield kernel.fd
    finally:
        kernel.close()


def _inotify() -> Inotify:
    """Return a set of watches.

    Raises:
        OSError: the kernel has none left.
    """
    import ctypes

    from pyroute2.inotify.inotify_fd import Inotify

    # Not left to Inotify, which would look for the C library by starting programs.
    kernel = Inotify(libc=ctypes.CDLL(None, use_errno=True), path=())
    kernel.bind()
    if kernel.fd < 0:
        kernel.fd = None
        kernel.close()
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return kernel


def wait_for_change(
    directory: Path, files: Iterable[str], known: FilesState, seconds: float
) -> FilesState:
    """Wait until a configuration has changed and stays as it is, or a time has passed.

    Args:
        directory: the configuration.
        files: those that were read.
        known: its state when it was read.
        seconds: how long to wait.

    Returns:
        Its state now.
    """
    read = tuple(files)
    with _woken(directory, read) as descriptor:
        end = monotonic() + seconds
        while True:
            now = files_state(directory, read)
            if now != known:
                return _settled(directory, read, now)
            left = end - monotonic()
            if left <= 0:
                return now
            _sleep(descriptor, left)


def _settled(directory: Path, files: tuple[str, ...], state: FilesState) -> FilesState:
    end = monotonic() + _LONGEST
    while monotonic() < end:
        sleep(_SETTLE)
        now = files_state(directory, files)
        if now == state:
            break
        state = now
    return state


def _sleep(descriptor: int | None, seconds: float) -> None:
    """Sleep until something may have changed; what it is does not matter."""
    if descriptor is None:
        sleep(seconds)
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if poll.poll(seconds * _MILLISECONDS):
        os.read(descriptor, _READ)
        sleep(_PAUSE)
