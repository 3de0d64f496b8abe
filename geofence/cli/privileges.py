"""What is said where the privilege to run a verb is missing."""

from __future__ import annotations

import os

from geofence.errors import PrivilegeError
from geofence.translation import tr


def refusal(verb: str) -> PrivilegeError:
    """Return the error that a verb needs root, or a capability that this root lacks."""
    if os.geteuid() == 0:
        return PrivilegeError(
            tr(
                "'geofence {verb}' needs the capability CAP_NET_ADMIN, which root lacks here. Give "
                "it to the container or the unit.",
                verb=verb,
            )
        )
    return PrivilegeError(
        tr("'geofence {verb}' needs root; run 'sudo geofence {verb}'.", verb=verb)
    )
