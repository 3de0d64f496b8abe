"""Privilege of this process to read and change the kernel's firewall.

Sources: capabilities(7), ``linux/capability.h``.
"""

from __future__ import annotations

from geofence.lean import Path

_STATUS = Path("/proc/self/status")
_NET_ADMIN = 12


def has_net_admin() -> bool:
    """Whether the process has CAP_NET_ADMIN. If unknown, yes: the kernel will refuse."""
    try:
        lines = _STATUS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True
    effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), None)
    return effective is None or bool(int(effective, 16) >> _NET_ADMIN & 1)
