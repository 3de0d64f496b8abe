"""The SSH session of the operator, from the environment of this process and its parents."""

from __future__ import annotations

import os
from pathlib import Path

from geofence.guards.lockout import SshSession

_VARIABLE = "SSH_CONNECTION"


def ssh_session() -> SshSession | None:
    """Return the SSH session that geofence was started from, if any.

    sudo removes the variable from the environment, so the parent processes are read, too.
    """
    own = os.environ.get(_VARIABLE)
    return SshSession.parse(own) if own else _from_ancestors(os.getppid())


def _from_ancestors(process: int) -> SshSession | None:
    while process > 1:
        directory = Path("/proc") / str(process)
        try:
            environment = (directory / "environ").read_bytes()
            status = (directory / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # another user's process, or one that has just ended
            return None
        for entry in environment.split(b"\0"):
            name, _, value = entry.partition(b"=")
            if name == _VARIABLE.encode():
                return SshSession.parse(value.decode(errors="replace"))
        process = int(status.rpartition(")")[2].split()[1])  # proc(5): ppid follows name and state
    return None
