"""NetworkPolicy (``networking.k8s.io/v1``): what the CNI of nearly every cluster enforces.

Policies only allow, add up, and have no order. A pod that one selects is blocked on every port that
none opens, so "none of our business" is written out as a rule without sources. Bans are taken out
of what is allowed. One object holds the whole fence, so that each change of it is atomic; what one
object cannot hold goes into others, each with the sources of one range of addresses.
"""

from __future__ import annotations

from geofence.targets.networkpolicy.engine import NetworkPolicies


def new_engine() -> NetworkPolicies:
    """Return the engine."""
    return NetworkPolicies()
