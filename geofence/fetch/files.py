"""Local files as sources of lists: read only if nobody but root and this user can write them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geofence.errors import ListError
from geofence.fetch.answers import Body, Missing
from geofence.host.acl import read_acl
from geofence.host.ownership import distrust, distrust_on_the_way
from geofence.spelling import printable
from geofence.translation import tr

MOST_FILES = 1_000
"""Files of a directory that make up one list."""


def is_local(url: str) -> bool:
    """Whether a source is a path on this host."""
    return url.startswith("/")


def read_list(path: str, most: int) -> Body | Missing:
    """Read a file.

    Args:
        path: absolute.
        most: bytes that it may have.

    Raises:
        ListError: it cannot be read, is no regular file, is too large, or others could have written
            it.
    """
    try:
        with _opened(Path(path)) as handle:
            _require_trust(Path(path), handle)
            return Body(_content(path, handle, most), None)
    except FileNotFoundError:
        return Missing(tr("{path}: there is no such file.", path=_shown(path)))
    except OSError as error:
        raise _unreadable(path, error) from error


def files_in(directory: str) -> tuple[str, ...]:
    """Return the paths of the regular files in a directory, in the order of their names.

    Hidden files are left out, and so are directories.

    Args:
        directory: an absolute path that ends in ``/``.

    Raises:
        ListError: it cannot be read, others could have written it, or it has too many files.
    """
    try:
        with _opened(Path(directory), os.O_DIRECTORY) as handle:
            _require_trust(Path(directory), handle)
            with os.scandir(handle) as entries:
                names = sorted(each.name for each in entries if each.is_file())
    except OSError as error:
        raise _unreadable(directory, error) from error
    found = tuple(f"{directory}{name}" for name in names if not name.startswith("."))
    if not found:
        raise ListError(tr("{path}: there is no file in it.", path=_shown(directory)))
    if len(found) > MOST_FILES:
        raise ListError(
            tr("{path}: more than {most} files.", path=_shown(directory), most=f"{MOST_FILES:,}")
        )
    return found


def _shown(path: str) -> str:
    return printable(path)


def _unreadable(path: str, error: OSError) -> ListError:
    return ListError(
        tr("{path}: cannot be read ({reason}).", path=_shown(path), reason=error.strerror or error)
    )


@contextmanager
def _opened(path: Path, flags: int = 0) -> Iterator[int]:
    """Open a descriptor, so that what is checked is then what is read.

    Does not wait, as a pipe without a writer would make it.
    """
    handle = os.open(path, flags | os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _require_trust(path: Path, handle: int) -> None:
    """Refuse what other users could have written; symbolic links on the way count.

    Raises:
        ListError: others could have written it, or exchanged a directory on the way.
        OSError: the system does not say.
    """
    shown = _shown(str(path))
    doubt = distrust(os.fstat(handle), read_acl(handle), by_hand=True)
    if doubt:
        raise ListError(
            tr(
                "{path}: it {reason}, so it is not used. Check what it says, then run: {remedy} "
                "{path}",
                path=shown,
                reason=doubt.reason,
                remedy=doubt.remedy,
            )
        )
    way = distrust_on_the_way(path)
    if way:
        place, doubt = way
        raise ListError(
            tr(
                "{path}: it is reached through {place}, which {reason}. Check what is there, then "
                "run: {remedy} {place}",
                path=shown,
                place=_shown(str(place)),
                reason=doubt.reason,
                remedy=doubt.remedy,
            )
        )


def _content(path: str, handle: int, most: int) -> bytes:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise ListError(tr("{path}: it is not a regular file.", path=_shown(path)))
    with os.fdopen(os.dup(handle), "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ListError(
            tr(
                "{url}: more than {most} bytes; no list is so large.",
                url=_shown(path),
                most=f"{most:,}",
            )
        )
    return content
