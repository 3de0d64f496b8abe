"""Where the backends are: a new one adds its folder and a line to ``BackendChoice``."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from geofence.backends.interface import Backend
from geofence.model.policy import BackendChoice

MODULES = {
    choice.value: f"geofence.backends.{choice}"
    for choice in BackendChoice
    if choice is not BackendChoice.AUTO
}
"""Package of each backend, in the order ``auto`` prefers them; each has ``backend()``."""


def load(name: str) -> Backend:
    """The backend of that name; its packages are imported only now."""
    return cast("Backend", import_module(MODULES[name]).backend())
