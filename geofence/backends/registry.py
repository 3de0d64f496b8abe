"""The one place that names the backends; a new one adds its folder and a line here."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from geofence.backends.interface import Backend

MODULES = {
    "ipset": "geofence.backends.ipset",
    "nftables": "geofence.backends.nftables",
}
"""Package of each backend, in the order ``auto`` prefers them; each has ``backend()``."""


def load(name: str) -> Backend:
    """The backend of that name; its packages are imported only now."""
    return cast("Backend", import_module(MODULES[name]).backend())
