"""Files of the state directory: written all or nothing, and read only if nobody else wrote them.

A file is written beside its place, flushed to the disk, renamed over the old one, and the
directory is flushed, too: whoever reads, even after a power cut, finds the old content or the new.
A killed run leaves at most a file with a telling name, which the next run clears away.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from geofence.errors import StateError
from geofence.host.acl import read_acl
from geofence.host.ownership import distrust, distrust_on_the_way

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700

LARGEST_FILE = 512 << 20
"""Octets beyond which a file is none of geofence's."""

_TEMPORARY = ".geofence-"
_TEMPORARY_END = ".tmp"
_OTHERS = 0o077
_OURS = frozenset(
    {
        "busy.json",
        "closed",
        "generations",
        "lists",
        "outcome.json",
        "probation.json",
        "removed",
        "lost+found",
    }
)
_OUR_ENDS = (".generation", ".list", ".list.1", ".versions", _TEMPORARY_END)
"""What a state directory holds, and what is in it; the last of the names is the file system's."""

_FULL = "free some space there; nothing was changed"
_DENIED = "run geofence as root, or name another directory with --state-dir"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: "make the file system writable, or name another directory with --state-dir",
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.ENOTDIR: "a file is where a directory belongs; move it away",
    errno.EISDIR: "a directory is where a file belongs; move it away",
    errno.ELOOP: "a symbolic link is where a file belongs; move it away",
    errno.EIO: "the disk may be failing; look into the kernel's log (dmesg)",
    errno.ENOMEM: "free some memory and try again",
}


def state_error(doing: str, path: Path, error: OSError) -> StateError:
    """What to raise where the system refuses something about a file of the state.

    Args:
        doing: ``written``, ``read``, …: what could not be done.
        path: the file or directory.
        error: what the system said.
    """
    why = error.strerror or type(error).__name__
    remedy = _REMEDIES.get(error.errno or 0)
    end = f"{why}; {remedy}." if remedy else f"{why}."
    return StateError(f"{path} could not be {doing}: {end}")


def write_atomically(path: Path, data: bytes, mode: int = PRIVATE_FILE) -> None:
    """Replace a file by one with this content, or leave everything as it was.

    Args:
        path: the file; its directory must exist.
        data: the whole content.
        mode: permissions, whatever the umask.

    Raises:
        StateError: the content could not be written and flushed; the old file still stands.
    """
    temporary = path.parent / f"{_TEMPORARY}{os.urandom(8).hex()}{_TEMPORARY_END}"
    try:
        with _removed_unless_renamed(temporary):
            _write_new(temporary, data, mode)
            temporary.replace(path)
        _flush_directory(path.parent)
    except OSError as error:
        raise state_error("written", path, error) from error


@contextmanager
def _removed_unless_renamed(temporary: Path) -> Iterator[None]:
    try:
        yield
    finally:
        temporary.unlink(missing_ok=True)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    with open(path, "xb", opener=_open_private) as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, PRIVATE_FILE)


def _open_regular(path: str, flags: int) -> int:
    """Open what should be a regular file; neither follow a link nor wait at a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_trusted(path: Path) -> bytes:
    """The content of a file that only root or this user can have written.

    Raises:
        StateError: the file is missing, cannot be read, is no regular file, is larger than any of
            geofence's, or others could have written it.
    """
    try:
        with open(path, "rb", opener=_open_regular) as file:
            facts = os.fstat(file.fileno())
            _require_file(path, facts)
            _require_trust(path, facts, read_acl(file.fileno()))
            return file.read()
    except OSError as error:
        raise state_error("read", path, error) from error


def read_if_there(path: Path) -> bytes | None:
    """As ``read_trusted``; None where there is no such file.

    Raises:
        StateError: the file is there and cannot be read, or cannot be trusted.
    """
    try:
        return read_trusted(path)
    except StateError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def ensure_private_directory(path: Path) -> None:
    """Make the directory if needed; see that it is ours and that nobody else may look into it.

    Raises:
        StateError: it cannot be made, belongs to somebody else, others may write to it, or somebody
            else uses it. That is not put right silently: they may have left something in it, or
            need it as it is.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
    except OSError as error:
        raise state_error("made", path, error) from error
    mode = _trusted_directory_mode(path)
    refuse_foreign(path)
    if mode & _OTHERS:
        try:
            path.chmod(PRIVATE_DIRECTORY)
        except OSError as error:
            raise state_error("made private", path, error) from error


def refuse_foreign(directory: Path) -> None:
    """See that a directory is not one that others use, such as /var/lib, and change nothing.

    Raises:
        StateError: others can look into it and it holds what is not geofence's; or it is the
            directory that geofence happens to run in, for want of a name.
    """
    if directory == Path():
        raise StateError("--state-dir names no directory; give the whole path of one.")
    try:
        shared = directory.stat().st_mode & _OTHERS
        names = sorted(path.name for path in directory.iterdir()) if shared else []
    except OSError:
        return  # who needs it will say what is wrong
    foreign = next((n for n in names if n not in _OURS and not n.endswith(_OUR_ENDS)), None)
    if foreign is not None:
        raise StateError(
            f"{directory} holds {foreign!r}, which is none of geofence's, and others can "
            "look into it; name a directory for geofence alone with --state-dir, or, if this is "
            f"one, 'chmod 700 {directory}'."
        )


def _trusted_directory_mode(path: Path) -> int:
    try:
        facts = path.stat()
        if not stat.S_ISDIR(facts.st_mode):
            raise StateError(f"{path} is no directory; move it away.")
        _require_trust(path, facts, read_acl(path))
    except OSError as error:
        raise state_error("read", path, error) from error
    return facts.st_mode


def clean_debris(directory: Path) -> tuple[str, ...]:
    """Remove what killed runs left half-written in a directory and below it.

    To be called with the lock held: another run's unfinished file looks the same. What cannot be
    removed, as on a disk that became read-only, stays: it does no harm.

    Returns:
        The names of what was removed.
    """
    removed: list[str] = []
    with suppress(OSError):
        for path in sorted(directory.rglob(f"{_TEMPORARY}*{_TEMPORARY_END}")):
            path.unlink(missing_ok=True)
            removed.append(path.name)
    return tuple(removed)


def _require_file(path: Path, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise StateError(f"{path} is no regular file; move it away.")
    if facts.st_size > LARGEST_FILE:
        raise StateError(f"{path} is larger than any file of geofence's; move it away.")


def _require_trust(path: Path, facts: os.stat_result, acl: bytes | None) -> None:
    """See that only root and this user decide what a file or directory holds.

    Args:
        path: its path, all of which is looked at.
        facts: of the file or directory itself.
        acl: its access control list, if it has one.

    Raises:
        StateError: somebody else does; names the remedy.
        OSError: the system does not tell.
    """
    doubt = distrust(facts, acl, by_hand=False)
    if doubt:
        raise StateError(
            f"{path} {doubt.reason}, who could have put anything there; "
            f"look at it, then '{doubt.remedy} {path}'."
        )
    way = distrust_on_the_way(path)
    if way:
        place, doubt = way
        raise StateError(
            f"{path} is found through {place}, which {doubt.reason}, who could have put anything "
            f"there; look at it, then '{doubt.remedy} {place}'."
        )
