"""Files of the state directory: written all or nothing, read only if nobody else can write them.

A file is written beside its place, flushed to the disk, renamed over the old one, and the
directory is flushed, too. So a reader finds the old content or the new, even after a power cut.
A killed run leaves at most a temporary file, which the next run deletes.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from geofence.errors import StateError
from geofence.host.acl import read_acl
from geofence.host.ownership import Ways, distrust
from geofence.lean import Path
from geofence.translation import tr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mmap import mmap
    from typing import BinaryIO

BANS_LOG = "bans/log"
TIMED_RECORD = "timed.json"
"""In the state directory; whether there is one is asked before what reads it is imported."""
PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700

LARGEST_FILE = 512 << 20
"""Bytes. Geofence writes no larger file."""

_TEMPORARY = ".geofence-"
_TEMPORARY_END = ".tmp"
_OTHERS = 0o077
_OURS = frozenset(
    {
        "applied-to.json",
        "atlas",
        "bans",
        "busy.json",
        "closed",
        "counting.json",
        "counts.sqlite",
        "facts.cache",
        "generations",
        "lists",
        "mirrors.json",
        "outcome.json",
        "probation.json",
        "removed",
        "shield.json",
        "shield.lock",
        "targets",
        "timed.json",
        "lost+found",
    }
)
_OUR_ENDS = (
    ".generation",
    ".list",
    ".list.1",
    ".versions",
    "counts.sqlite-journal",
    "counts.sqlite.damaged",
    _TEMPORARY_END,
)
"""Names in a state directory; ``lost+found`` is the file system's."""


def state_error(doing: str, path: Path, error: OSError) -> StateError:
    """Return the error to raise if the system refuses something about a file of the state.

    Args:
        doing: what could not be done: written, read, removed, made, made private.
        path: the file or directory.
        error: the system's.
    """
    refused = _refused(doing, path, error.strerror or type(error).__name__)
    remedy = _remedy(error.errno)
    return StateError(tr("{what} {remedy}", what=refused, remedy=remedy) if remedy else refused)


def _refused(doing: str, path: Path, why: str) -> str:
    match doing:
        case "written":
            return tr("{path} could not be written: {why}.", path=path, why=why)
        case "read":
            return tr("{path} could not be read: {why}.", path=path, why=why)
        case "removed":
            return tr("{path} could not be removed: {why}.", path=path, why=why)
        case "made private":
            return tr("The permissions of {path} could not be changed: {why}.", path=path, why=why)
        case _:
            return tr("{path} could not be created: {why}.", path=path, why=why)


def _remedy(number: int | None) -> str:
    """Return what to do about an error of the system; empty if nothing is known to help."""
    full = tr("Free some space there. Nothing was changed.")
    denied = tr("Run geofence as root, or choose another directory (--state-dir).")
    remedies = {
        errno.ENOSPC: full,
        errno.EDQUOT: full,
        errno.EROFS: tr(
            "Make the file system writable, or choose another directory (--state-dir)."
        ),
        errno.EACCES: denied,
        errno.EPERM: denied,
        errno.ENOTDIR: tr("A file is where a directory is needed. Move it away."),
        errno.EISDIR: tr("A directory is where a file is needed. Move it away."),
        errno.ELOOP: tr("A symbolic link is where a file is needed. Move it away."),
        errno.EIO: tr("The disk may be failing. Look into the kernel's log ('dmesg')."),
        errno.ENOMEM: tr("Free some memory and try again."),
    }
    return remedies.get(number or 0, "")


def write_atomically(
    path: Path, data: bytes, mode: int = PRIVATE_FILE, *, flush_directory: bool = True
) -> None:
    """Replace a file by one with this content, or leave everything unchanged.

    Args:
        path: the file; its directory must exist.
        data: the whole content.
        mode: permissions, whatever the umask.
        flush_directory: whether to flush the directory, too. If not, a power cut may bring back the
            old file until the caller has done so by ``flush``; what is there is always whole.

    Raises:
        StateError: the content could not be written and flushed; the old file is unchanged.
    """
    temporary = _temporary(path.parent)
    try:
        try:
            _write_new(temporary, data, mode)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if flush_directory:
            _flush_directory(path.parent)
    except OSError as error:
        raise state_error("written", path, error) from error


def keep_as(path: Path, other: Path) -> None:
    """Give a file a second name in its directory, in place of the file that had it.

    What replaces the file leaves the second name alone. The directory is flushed by ``flush``.

    Raises:
        StateError: it could not be done; both names are as they were.
    """
    temporary = _temporary(path.parent)
    try:
        try:
            temporary.hardlink_to(path)
            temporary.replace(other)
        finally:
            temporary.unlink(missing_ok=True)  # two names of one file are not renamed
    except OSError:  # some file systems have no second names
        write_atomically(other, read_trusted(path), flush_directory=False)


def flush(directory: Path) -> None:
    """Flush a directory after several files were replaced in it.

    Raises:
        StateError: it could not be flushed.
    """
    try:
        _flush_directory(directory)
    except OSError as error:
        raise state_error("written", directory, error) from error


def _temporary(directory: Path) -> Path:
    return directory / f"{_TEMPORARY}{os.urandom(8).hex()}{_TEMPORARY_END}"


def _write_new(path: Path, data: bytes, mode: int) -> None:
    with open(path, "xb", opener=_open_private) as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, PRIVATE_FILE)


def _open_regular(path: str, flags: int) -> int:
    """Open what should be a regular file. Do not follow a link or wait for a pipe's writer."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_trusted(path: Path, ways: Ways | None = None) -> bytes:
    """Return the content of a file that only root or this user can have written.

    Args:
        path: the file.
        ways: to the files that are read together with it.

    Raises:
        StateError: the file is missing, cannot be read, is not a regular file, is too large, or
            others could have written it.
    """
    with _opened_trusted(path, ways) as file:
        return file.read()


@contextmanager
def _opened_trusted(path: Path, ways: Ways | None = None) -> Iterator[BinaryIO]:
    try:
        with open(path, "rb", opener=_open_regular) as file:
            facts = os.fstat(file.fileno())
            _require_file(path, facts)
            require_trust(path, facts, read_acl(file.fileno()), ways)
            yield file
    except OSError as error:
        raise state_error("read", path, error) from error


def require_trusted(path: Path) -> None:
    """See that only root or this user can have written a file, which a library then opens.

    Raises:
        StateError: as ``read_trusted`` does.
    """
    with _opened_trusted(path):
        pass


def map_if_there(path: Path) -> mmap | bytes | None:
    """Return the content of a file as ``read_if_there`` does, read from the disk where it is used.

    Files are replaced as a whole, so what is mapped never changes.

    Raises:
        StateError: the file is there and cannot be mapped, or cannot be trusted.
    """
    from mmap import ACCESS_READ, mmap

    try:
        with _opened_trusted(path) as file:
            empty = os.fstat(file.fileno()).st_size == 0
            return b"" if empty else mmap(file.fileno(), 0, access=ACCESS_READ)
    except StateError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def read_if_there(path: Path, ways: Ways | None = None) -> bytes | None:
    """Return what ``read_trusted`` does; None if there is no such file.

    Raises:
        StateError: the file is there and cannot be read, or cannot be trusted.
    """
    try:
        return read_trusted(path, ways)
    except StateError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def ensure_private_directory(path: Path) -> None:
    """Make the directory if needed, and see that nobody else can change it or look into it.

    Raises:
        StateError: it cannot be made, belongs to somebody else, others may write to it, or somebody
            else uses it. That is not repaired silently: they may have left something in it, or
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
    """See that a directory is not one that others use, such as /var/lib. Change nothing.

    Raises:
        StateError: others can look into it and it holds a file of another program; or it is the
            current directory, since its name is empty.
    """
    if directory == Path():
        raise StateError(tr("--state-dir is empty. Give the absolute path of a directory."))
    try:
        shared = directory.stat().st_mode & _OTHERS
        names = sorted(path.name for path in directory.iterdir()) if shared else []
    except OSError:
        return  # using it will tell what is wrong
    foreign = next((n for n in names if n not in _OURS and not n.endswith(_OUR_ENDS)), None)
    if foreign is not None:
        raise StateError(
            tr(
                '{directory} contains "{name}", which geofence did not create, and is readable by '
                "others. Choose a directory that only geofence uses (--state-dir). If this is "
                "one, type 'chmod 700 {directory}'.",
                directory=directory,
                name=foreign,
            )
        )


def _trusted_directory_mode(path: Path) -> int:
    try:
        facts = path.stat()
        if not stat.S_ISDIR(facts.st_mode):
            raise StateError(tr("{path} is not a directory. Move it away.", path=path))
        require_trust(path, facts, read_acl(path))
    except OSError as error:
        raise state_error("read", path, error) from error
    return facts.st_mode


def clean_debris(directory: Path) -> tuple[str, ...]:
    """Remove temporary files that killed runs left in a directory and below it.

    The caller holds the lock: another run's unfinished file looks the same. What cannot be removed,
    as on a disk that became read-only, stays and does no harm.

    Returns:
        The names of what was removed.
    """
    removed: list[str] = []
    with suppress(OSError):
        known = [(place, name) for place, _, names in os.walk(directory) for name in names]
        for place, name in sorted(known):
            if name.startswith(_TEMPORARY) and name.endswith(_TEMPORARY_END):
                Path(place, name).unlink(missing_ok=True)
                removed.append(name)
    return tuple(removed)


def _require_file(path: Path, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise StateError(tr("{path} is not a regular file. Move it away.", path=path))
    if facts.st_size > LARGEST_FILE:
        raise StateError(
            tr("{path} is too large to be a file of geofence. Move it away.", path=path)
        )


def require_trust(
    path: Path, facts: os.stat_result, acl: bytes | None, ways: Ways | None = None
) -> None:
    """Raise if others than root and this user can decide what a file or directory holds.

    Args:
        path: its path; every directory on it is checked.
        facts: of the file or directory itself.
        acl: its access control list, if it has one.
        ways: to the files that are read together with it.

    Raises:
        StateError: others can; the message names the remedy.
        OSError: the system does not say.
    """
    doubt = distrust(facts, acl, by_hand=False)
    if doubt:
        raise StateError(
            tr(
                "{path} {reason}. Others could have changed it. Check it, then type "
                "'{remedy} {path}'.",
                path=path,
                reason=doubt.reason,
                remedy=doubt.remedy,
            )
        )
    way = (ways or Ways()).distrust(path)
    if way:
        place, doubt = way
        raise StateError(
            tr(
                "Others could have exchanged {path}: {place}, on the way to it, {reason}. "
                "Check both, then type '{remedy} {place}'.",
                path=path,
                place=place,
                reason=doubt.reason,
                remedy=doubt.remedy,
            )
        )
