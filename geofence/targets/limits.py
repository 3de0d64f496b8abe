"""Limits of every API server, whatever the kind of object."""

from __future__ import annotations

from collections.abc import Iterator

from geofence.guards.objection import Guard, Objection
from geofence.targets.objects import ClusterObject
from geofence.translation import tr

REQUEST_MOST = 3 * 1024 * 1024
"""Bytes of a request that an API server takes; no option changes it."""
STORED_MOST = 3 * 512 * 1024
"""Bytes that etcd stores of an object (``--max-request-bytes``)."""
ANNOTATIONS_MOST = 256 * 1024
"""Bytes of all annotations of an object."""


def server_limits(found: ClusterObject, stored: int) -> Iterator[Objection]:
    """Yield the limits of an API server that an object exceeds.

    Args:
        found: the object.
        stored: bytes that it takes in etcd.
    """
    notes = sum(len(key) + len(value) for key, value in found.annotations.items())
    found_sizes = (
        (len(found.text), REQUEST_MOST, _of_request),
        (stored, STORED_MOST, _of_store),
        (notes, ANNOTATIONS_MOST, _of_annotations),
    )
    for number, most, allows in found_sizes:
        if number > most:
            saw = tr("{object} takes {number} bytes.", object=found.key, number=f"{number:,}")
            yield exceeded(found, saw, allows(f"{most:,}"))


def _of_request(most: str) -> str:
    return tr("The API server takes {most} in a request.", most=most)


def _of_store(most: str) -> str:
    return tr("etcd stores {most} of an object.", most=most)


def _of_annotations(most: str) -> str:
    return tr("All annotations together may have {most}.", most=most)


def exceeded(found: ClusterObject, saw: str, allows: str) -> Objection:
    """Return the objection that an object exceeds a limit."""
    remedy = tr("Allow fewer countries, or use an engine that takes more.")
    return Objection(Guard.TARGET_LIMIT, str(found.key), saw, allows, Guard.TARGET_LIMIT, remedy)
