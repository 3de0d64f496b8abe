"""Cilium: CIDR groups, a policy for pods that allows, and one for nodes that denies."""

from geofence.targets.cilium.engine import CILIUM
from geofence.targets.interface import Engine


def new_engine() -> Engine:
    """Return the engine."""
    return CILIUM
