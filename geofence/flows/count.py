"""The number of flows that the kernel tracks, read without the code that decodes them."""

from __future__ import annotations

from geofence.lean import Path

_COUNT = Path("/proc/sys/net/netfilter/nf_conntrack_count")
"""Of the network namespace of the process that reads it."""


def any_flow() -> bool:
    """Whether the kernel tracks any flow; there is none before something asks for tracking."""
    try:
        return int(_COUNT.read_text(encoding="utf-8")) > 0
    except (OSError, ValueError):
        return False
