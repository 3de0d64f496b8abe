"""Calico: a tier that passes by default, network sets, and policies for pods and for nodes."""

from geofence.targets.calico.engine import CALICO
from geofence.targets.interface import Engine


def new_engine() -> Engine:
    """Return the engine."""
    return CALICO
