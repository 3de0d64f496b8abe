"""Calico: a tier that passes by default, network sets, and policies for pods and for nodes."""

from geofence.targets.calico.engine import Calico


def new_engine() -> Calico:
    """Return the engine."""
    return Calico()
