"""Prefixes as objects of clusters have them: exact, or refused."""

from __future__ import annotations

import socket

from geofence.errors import TargetError
from geofence.model.prefixes import Family, Prefix
from geofence.translation import tr


def parse_prefix(text: str) -> Prefix:
    """Return the prefix of a text such as ``1.0.16.0/20``.

    Raises:
        TargetError: it is not exactly the text that geofence writes: no host bits, no leading
            zeros, no IPv4 address as IPv6.
    """
    address, _, digits = text.partition("/")
    family = Family.IPV6 if ":" in address else Family.IPV4
    try:
        packed = socket.inet_pton(family.socket_family, address)
        length = int(digits)
    except (OSError, ValueError):
        raise _refused(text) from None
    prefix = Prefix(family, int.from_bytes(packed, "big"), length)
    if not 0 <= length <= family.bits or str(prefix) != text:
        raise _refused(text)
    if prefix.network & ((1 << (family.bits - length)) - 1):
        raise _refused(text)
    return prefix


def _refused(text: str) -> TargetError:
    return TargetError(tr("{text} is not a prefix as geofence writes it.", text=repr(text)))
