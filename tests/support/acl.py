"""Access control lists, as ``setfacl`` sets them."""

from __future__ import annotations

import os
import struct
from pathlib import Path

OWNER, USER, OWNING_GROUP, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NOBODY = 0xFFFFFFFF
"""In an entry that names nobody."""


def acl(*entries: tuple[int, int, int]) -> bytes:
    """A list of these entries: tag, permissions, number of the user or group."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def let_write(path: Path, tag: int, number: int) -> None:
    """Let one more user or group write a file or directory; the owner keeps all, others read."""
    entries = [(OWNER, 7, NOBODY), (OWNING_GROUP, 5, NOBODY), (MASK, 7, NOBODY), (OTHER, 5, NOBODY)]
    entries.append((tag, 7, number))
    os.setxattr(path, "system.posix_acl_access", acl(*sorted(entries)))
