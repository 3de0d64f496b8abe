"""Sentences about exceptions that are enabled and inactive."""

from __future__ import annotations

from geofence.allowed.active_exceptions import Inactive, Obstacle
from geofence.translation import tr


def obstacle_text(inactive: Inactive) -> str:
    """Return why an exception is inactive, as a clause, and what to do."""
    hosts = ", ".join(inactive.hosts)
    return {
        Obstacle.NO_FENCE: tr("there is no fence"),
        Obstacle.OUTSIDE_PIN: tr(
            "its host names have no address in its 'within'; 'geofence refresh' tries again"
        ),
        Obstacle.UNRESOLVED: tr(
            "{hosts} has never resolved; run 'geofence refresh' when DNS works", hosts=hosts
        ),
        Obstacle.NO_FEED: tr(
            "its feed has not been downloaded yet, or has no address in its 'within'; "
            "'geofence refresh' tries again"
        ),
        Obstacle.NO_SERVICE: tr("none of its services is fenced"),
        Obstacle.NOT_APPLIED: tr("not applied yet; run 'geofence apply'"),
    }[inactive.obstacle]
