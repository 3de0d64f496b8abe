"""This boot of the machine, as the kernel tells it.

Source: random(4) for the ID, clock_gettime(2) for the clock.
"""

from __future__ import annotations

import time

from geofence.lean import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return the ID that the kernel gave itself when it was started."""
    return _BOOT_ID.read_text(encoding="ascii").strip()


def since_boot() -> float:
    """Return the seconds since boot, suspended time included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
