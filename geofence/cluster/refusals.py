"""What a refusal of an API server means, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from geofence.errors import ClusterError
from geofence.spelling import printable
from geofence.translation import join, tr

_LONGEST = 400
"""Characters of a server's own words that are shown."""
FORBIDDEN = 403
NOT_FOUND = 404
GONE = 410


def refused(what: str, status: int, body: bytes) -> ClusterError:
    """Return the error for an answer that does not tell of success.

    Args:
        what: a clause on the request, such as ``apply NetworkPolicy/pbx/geofence-k8s``.
        status: code of the answer.
        body: of the answer.
    """
    said = server_words(body)
    first = tr(
        "The cluster refused to {what} ({status}): {said}.", what=what, status=status, said=said
    )
    return ClusterError(join(" ", (first, remedy(status))), status)


def server_words(body: bytes) -> str:
    """Return the message of a ``Status`` object, in one line and not too long."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    words = found.get("message") if isinstance(found, Mapping) else None
    text = words if isinstance(words, str) and words else tr("no reason given")
    return printable(" ".join(text.split()))[:_LONGEST].rstrip(".")


def remedy(status: int) -> str:  # noqa: PLR0911 - one a code
    """Return what to do about an answer of that code."""
    match status:
        case 401:
            return tr("Renew the token or certificate in the kubeconfig.")
        case 403:
            return tr(
                "Its role, a quota or a webhook of the cluster forbids this; ask its administrator."
            )
        case 404:
            return tr("Check that the namespace exists and that the cluster serves this kind.")
        case 409:
            return tr("Another program changed the object meanwhile; run the command again.")
        case 413:
            return tr("Allow fewer countries in this target, or use another kind of target.")
        case 400 | 415 | 422:
            return tr("'geofence doctor --target' tells what this cluster does not support.")
        case 429 | 503 | 504:
            return tr("The cluster is busy; run the command again later.")
        case _:
            return tr("Look into the log of the API server, then run the command again.")
