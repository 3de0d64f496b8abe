"""The plan: what would change, as a difference, by country, and which ruleset the kernel holds."""

from geofence.plan.diff import make_plan

__all__ = ["make_plan"]
