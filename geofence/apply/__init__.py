"""From a ruleset to a kernel that provably holds it."""

from geofence.apply.transaction import Applied, apply_ruleset

__all__ = ["Applied", "apply_ruleset"]
