"""POSIX access control lists of files: who may write, beyond what the mode says.

The kernel returns them as extended attributes, in the format of ``linux/posix_acl_xattr.h``. With
one, the group's bits of the mode are its mask: the most that any named user or group may do.
"""

from __future__ import annotations

import errno
import os
import struct

from geofence.lean import Path
from geofence.model.frozen import NamedTuple

_ATTRIBUTE = "system.posix_acl_access"
_NONE = {errno.ENODATA, errno.EOPNOTSUPP}
"""Errors for a file without one, and for a file system without any."""
_VERSION = struct.Struct("<I")
_KNOWN_VERSION = 2
_ENTRY = struct.Struct("<HHI")
_USER, _OWNING_GROUP, _GROUP, _MASK = 0x02, 0x04, 0x08, 0x10
_WRITE = 0o2


class Writers(NamedTuple):
    """Users and groups that may write besides the owner."""

    owning_group: bool
    """Whether the file's group may."""
    users: tuple[int, ...] = ()
    """Numbers of the listed users who may."""
    groups: tuple[int, ...] = ()
    """Numbers of the listed groups that may."""


def read_acl(file: int | Path) -> bytes | None:
    """Return the access control list of a file; None if it has none.

    Args:
        file: a descriptor or a path; symbolic links are followed.

    Raises:
        OSError: the system does not say.
    """
    try:
        return os.getxattr(file, _ATTRIBUTE)
    except OSError as error:
        if error.errno in _NONE:
            return None
        raise


def writers(acl: bytes) -> Writers:
    """Return who may write by an access control list.

    Raises:
        ValueError: its format is unknown.
    """
    entries = _entries(acl)
    mask = next((allowed for tag, allowed, _ in entries if tag == _MASK), _WRITE)
    may = [(tag, number) for tag, allowed, number in entries if allowed & mask & _WRITE]
    return Writers(
        owning_group=any(tag == _OWNING_GROUP for tag, _ in may),
        users=tuple(number for tag, number in may if tag == _USER),
        groups=tuple(number for tag, number in may if tag == _GROUP),
    )


def _entries(acl: bytes) -> list[tuple[int, int, int]]:
    head, body = acl[: _VERSION.size], acl[_VERSION.size :]
    if head != _VERSION.pack(_KNOWN_VERSION) or len(body) % _ENTRY.size:
        raise ValueError("an access control list of an unknown format")
    return [(tag, allowed, number) for tag, allowed, number in _ENTRY.iter_unpack(body)]
