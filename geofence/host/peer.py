"""The user at the other end of a TCP connection within this host, as the kernel tells it.

Source: proc(5). The other end is a socket of this host, too, and has its line in the same table.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

_TABLES = Path("/proc/thread-self/net")
"""Of the network namespace of this thread."""
_LOCAL, _REMOTE, _UID = 1, 2, 7
"""Columns."""
_MAPPED = bytes(10) + b"\xff\xff"
"""Begins an IPv4 address as a socket of IPv6 has it (RFC 4291, 2.5.5.2)."""


def user_of(theirs: tuple[str, int], ours: tuple[str, int]) -> int | None:
    """Return the number of the user who made the socket at the other end of a connection.

    Text is not decoded: who has given up his privilege may not be able to load a codec.

    Args:
        theirs: IPv4 address and port of the other end, which is on this host.
        ours: those of this end.

    Returns:
        None if there is no such socket (any more), or the kernel does not tell.
    """
    for table, start in (("tcp", b""), ("tcp6", _MAPPED)):
        wanted = [_written(start, end) for end in (theirs, ours)]
        try:
            lines = (_TABLES / table).read_bytes().splitlines()
        except OSError:
            continue
        for fields in map(bytes.split, lines[1:]):
            if [fields[_LOCAL], fields[_REMOTE]] == wanted:
                return int(fields[_UID])
    return None


def _written(start: bytes, end: tuple[str, int]) -> bytes:
    """Return an address and a port as the table has them: words of this host's byte order."""
    packed = start + socket.inet_aton(end[0])
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    text = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"{text}:{end[1]:04X}".encode()
