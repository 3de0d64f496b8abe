"""The plan: what would change, whether a guard objects, and how it reads."""

from geofence.plan.diff import make_plan

__all__ = ["make_plan"]
