"""Services as annotations of objects have them, which anybody may have changed in the cluster."""

from __future__ import annotations

import re

from geofence.model.policy import Ports, Protocol
from geofence.targets.fence import ServicePorts
from geofence.targets.objects import Json, as_sequence

_NAME = re.compile(r"[a-z][a-z0-9-]{0,99}")
"""No name that would write over the screen of who reads it."""
_PORTS = re.compile(r"(?P<first>[0-9]{1,5})(-(?P<last>[0-9]{1,5}))?/(?P<protocol>udp|tcp)")
_LAST_PORT = 65_535


def stored_service(name: Json, ports: Json) -> ServicePorts:
    """Return a service.

    Raises:
        ValueError: it is not one that geofence writes.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(name)
    return ServicePorts(name, tuple(map(_ports, as_sequence(ports))))


def _ports(text: Json) -> Ports:
    found = _PORTS.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(text)
    first, last = int(found["first"]), int(found["last"] or found["first"])
    if not 0 < first <= last <= _LAST_PORT:
        raise ValueError(text)
    return Ports(Protocol(found["protocol"]), first, last)
