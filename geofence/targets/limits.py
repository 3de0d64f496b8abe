"""Limits of API servers, whatever the kind of object, and objections to what exceeds a limit."""

from __future__ import annotations

from collections.abc import Iterator

from geofence.guards.objection import Guard, Objection
from geofence.targets.objects import ClusterObject
from geofence.translation import tr

LARGEST_REQUEST = 3 * 1024 * 1024
"""Bytes of a request that an API server takes; it has no setting for that."""
LARGEST_STORED = 1536 * 1024
"""Bytes of an object that etcd takes, by default (``--max-request-bytes``)."""


def server_limits(found: ClusterObject, request: int, stored: int) -> Iterator[Objection]:
    """Yield objections to one object.

    Args:
        found: the object.
        request: bytes of its text.
        stored: bytes that it takes in etcd.
    """
    if request > LARGEST_REQUEST:
        yield objection(
            str(found.key),
            tr("{object} has {number} bytes.", object=found.key, number=f"{request:,}"),
            tr("An API server takes {limit} bytes in a request.", limit=f"{LARGEST_REQUEST:,}"),
        )
    elif stored > LARGEST_STORED:
        yield objection(
            str(found.key),
            tr("{object} takes {number} bytes in etcd.", object=found.key, number=f"{stored:,}"),
            tr("etcd takes {limit} bytes by default.", limit=f"{LARGEST_STORED:,}"),
        )


def objection(subject: str, saw: str, allows: str) -> Objection:
    """Return the objection to a limit that is exceeded."""
    remedy = tr("Allow fewer countries, or use an engine that takes more.")
    token = Guard.TARGET_LIMIT.value
    return Objection(Guard.TARGET_LIMIT, subject, saw, allows, token, remedy)
