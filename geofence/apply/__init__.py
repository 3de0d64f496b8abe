"""From a ruleset to a kernel that provably holds it."""

from geofence.apply.transaction import (
    Applied,
    apply_ruleset,
    fence_stands,
    plan_for,
    remove_all,
    survey,
)

__all__ = ["Applied", "apply_ruleset", "fence_stands", "plan_for", "remove_all", "survey"]
