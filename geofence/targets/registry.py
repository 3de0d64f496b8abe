"""The registry of engines. A new engine adds its folder and a line to ``TargetKind``."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from geofence.model.target import TargetKind
from geofence.targets.interface import Engine

MODULES = {kind: f"geofence.targets.{kind}" for kind in TargetKind}
"""Package of each engine; each has ``new_engine()``."""


def load(kind: TargetKind) -> Engine:
    """Return the engine of a kind of targets; its package is imported only now."""
    return cast("Engine", import_module(MODULES[kind]).new_engine())
