"""Limits that systemd sets to geofence's own units.

A shell may do more than they. If it put the fence where they cannot reach it, every later refresh
of theirs would fail; so what they cannot hold counts as an obstacle for everybody.
"""

from __future__ import annotations

import re

from geofence.backends.ipset.startup import unit_settings
from geofence.lean import Path
from geofence.translation import tr

ROOT = Path("/")
"""The system that is looked at."""
UNITS = ("geofence-restore", "geofence-reassert", "geofence-refresh", "geofence-daemon")
"""Those that look after the fence."""
_CAPABILITY = "CAP_NET_RAW"
_BOUNDS = r"(?m)^[ \t]*CapabilityBoundingSet[ \t]*=[ \t]*(.*)$"


def obstacle() -> str | None:
    """Return why the installed units cannot use ipset, with the remedy; None if they can."""
    for unit in UNITS:
        settings = unit_settings(ROOT, unit)
        if settings is not None and not _may_open_raw_sockets(settings):
            return tr(
                "{unit}.service may not use ipset, because it lacks {capability}. Install "
                "cron/geofence-.service.d/ipset.conf in "
                "/etc/systemd/system/geofence-.service.d and run 'systemctl daemon-reload', or set "
                'backend = "nftables" in the rules.',
                unit=unit,
                capability=_CAPABILITY,
            )
    return None


def _may_open_raw_sockets(settings: str) -> bool:
    """Whether a unit's capabilities, as all its lines together bound them, have the one."""
    allowed = True
    for at, value in enumerate(re.findall(_BOUNDS, settings)):
        inverted, names = value.startswith("~"), value.lstrip("~").split()
        if _CAPABILITY in names:
            allowed = not inverted
        elif not names or at == 0:  # an empty one forbids all that were named before
            allowed = inverted
    return allowed
