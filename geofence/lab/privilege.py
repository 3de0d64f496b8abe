"""The right to make network namespaces: root's, or that of a user namespace's root.

Sources: capabilities(7), user_namespaces(7), ``linux/capability.h``, ``linux/sched.h``.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from geofence.errors import LabUnavailable
from geofence.translation import tr

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

_NEEDED = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_SYS_ADMIN": 21}
"""Capabilities by their bit: to configure networks, to send raw packets, to enter namespaces."""

_libc = ctypes.CDLL(None, use_errno=True)


def call(function: str, *arguments: int) -> None:
    """Call a function of libc that Python 3.11 does not wrap; it returns 0, or -1 and ``errno``.

    Args:
        function: ``unshare`` or ``setns``.
        arguments: its arguments, integers all.

    Raises:
        OSError: the kernel refused.
    """
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def ensure() -> None:
    """Make sure that this process may make namespaces, in a user namespace of its own if need be.

    Has to come before the first thread: the kernel lets no process with several threads change its
    user namespace. There is no way back, and none is needed: the process ends with its demo or its
    tests.

    Raises:
        LabUnavailable: neither root nor user namespaces are to be had; the message says what to do.
    """
    if _capable():
        return
    try:
        _become_root_of_own_namespace()
    except OSError as error:
        raise _unavailable(error) from error


def _capable() -> bool:
    status = Path("/proc/thread-self/status").read_text(encoding="ascii")
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    held = int(effective.split()[1], 16)
    return all(held >> bit & 1 for bit in _NEEDED.values())


def _become_root_of_own_namespace() -> None:
    """Enter a new user namespace, with this user as its root, and a network namespace in it."""
    user, group = os.geteuid(), os.getegid()
    call("unshare", CLONE_NEWUSER)
    me = Path("/proc/self")
    (me / "setgroups").write_text("deny", encoding="ascii")
    (me / "uid_map").write_text(f"0 {user} 1", encoding="ascii")
    (me / "gid_map").write_text(f"0 {group} 1", encoding="ascii")
    call("unshare", CLONE_NEWNET)


def _unavailable(error: OSError) -> LabUnavailable:
    return LabUnavailable(
        tr(
            "No throw-away network namespace can be made here ({reason}): this user lacks "
            "{capabilities} and may not make user namespaces. Run it as root, or allow user "
            "namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
            "kernel.apparmor_restrict_unprivileged_userns).",
            reason=error.strerror,
            capabilities=", ".join(_NEEDED),
        )
    )
