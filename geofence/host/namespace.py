"""What tells this network namespace from all others since the machine was started."""

from __future__ import annotations

import socket

from geofence.host.boot import boot_id

_SO_NETNS_COOKIE = 71
"""``SO_NETNS_COOKIE``, since Linux 5.14: a number that is never given to another namespace, as the
inode of ``/proc/self/ns/net`` is (``include/uapi/asm-generic/socket.h``)."""
_COOKIE_SIZE = 8


def network_namespace() -> str | None:
    """Return a name that no other namespace has or had; None where the kernel gives none."""
    try:
        with socket.socket(socket.AF_UNIX) as own:
            cookie = own.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, _COOKIE_SIZE)
        return f"{boot_id()} {int.from_bytes(cookie, 'little')}"
    except OSError:
        return None
