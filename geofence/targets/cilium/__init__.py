"""Cilium: CIDR groups, a policy for pods that allows, and one for nodes that denies."""

from geofence.targets.cilium.engine import Cilium


def new_engine() -> Cilium:
    """Return the engine."""
    return Cilium()
